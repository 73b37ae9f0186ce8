/** One source: its newest picture with the faces on it, what state it is in, and what can be done with it. */

import { api, path } from "../api.js";
import { css, fill, h, say } from "../dom.js";
import { icon } from "../icons.js";
import { button } from "../parts/blocks.js";
import { confirm } from "../parts/dialog.js";
import { menu } from "../parts/menu.js";
import { openRename } from "../parts/rename.js";
import { busy, toast } from "../parts/toast.js";
import { go, to } from "../router.js";
import { live } from "../socket.js";
import { state } from "../state.js";
import { clock, sentence, span } from "../words.js";
import { facesLayer } from "./faces.js";

/**
 * @param {object} first the source
 * @param {{large?: boolean, onpick: (face, source: string) => void}} options
 * @returns {{node: Element, update: (source) => void, show: (picture) => Promise<void>, tick: () => void}}
 */
export function tile(first, { large = false, onpick }) {
  let source = first;
  let drawn = false; // whether there is a picture yet
  let drawing = false;
  const canvas = h("canvas", { width: 16, height: 9 });
  const faces = facesLayer(onpick);
  const veil = h("div", { class: "veil" });
  const frame = h("div", { class: "picture" }, canvas, faces.node);
  const enlarge = large ? null : h("a", { class: "enlarge", href: to("live", source.id) });
  const stage = h("div", { class: "stage" }, frame, enlarge, veil);
  const name = h("h2", { class: "tile-name" });
  const condition = h("p", { class: "tile-state" });
  const actions = h("div", { class: "tile-actions" });
  const node = h(
    "article",
    { class: large ? "tile tile-large" : "tile" },
    stage,
    h("footer", { class: "tile-foot" }, h("div", { class: "tile-words" }, name, condition), actions),
  );
  let offered = ""; // the state and name that the menu is made for

  function update(now) {
    source = now;
    node.dataset.state = source.state;
    say(name, source.name);
    enlarge?.setAttribute("aria-label", `Enlarge ${source.name}`);
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `Picture of ${source.name}`);
    if (source.size) css(frame, { "--ratio": `${source.size[0]} / ${source.size[1]}`, "--wide": String(source.size[0] / source.size[1]) });
    if (source.state !== "running") faces.clear();
    tick();
    const offer = `${source.state} ${source.name}`;
    if (state.mayChange && offered !== offer) {
      offered = offer;
      fill(actions, menu(`What can be done with ${source.name}`, entries(source)));
    }
  }

  function tick() {
    say(condition, stateWords(source));
    const words = veilOf(source, drawn);
    const key = words ? `${source.state} ${words.title} ${words.detail}` : "";
    if (veil.dataset.key === key) return;
    veil.dataset.key = key;
    veil.hidden = !words;
    fill(veil, words && [h("p", { class: "veil-title" }, words.title), words.detail && h("p", {}, words.detail), words.action]);
  }

  async function show(picture) {
    if (drawing) return; // the service waits for `shown`; what comes nevertheless is skipped
    drawing = true;
    try {
      const bitmap = await createImageBitmap(picture.jpeg);
      await nextFrame();
      if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
        canvas.width = bitmap.width;
        canvas.height = bitmap.height;
        css(frame, { "--ratio": `${bitmap.width} / ${bitmap.height}`, "--wide": String(bitmap.width / bitmap.height) });
      }
      canvas.getContext("2d", { alpha: false }).drawImage(bitmap, 0, 0);
      bitmap.close();
      if (source.state === "running") faces.draw(picture);
      if (!drawn) {
        drawn = true;
        tick();
      }
    } finally {
      drawing = false;
      live.shown(picture.source, picture.frame);
    }
  }

  update(first);
  return { node, update, show, tick };
}

const nextFrame = () =>
  new Promise((resolve) => {
    // A hidden page draws no frames; the timer keeps the promise there.
    const timer = setTimeout(resolve, 200);
    requestAnimationFrame(() => {
      clearTimeout(timer);
      resolve();
    });
  });

function stateWords(source) {
  switch (source.state) {
    case "running":
      return source.fps ? `Live · ${Math.round(source.fps)} frames a second` : "Live";
    case "starting":
      return "Starting";
    case "paused":
      return "Paused";
    case "lost":
      return `Lost since ${clock(source.since)}`;
    case "ended":
      return "Ended";
    default:
      return "Stopped by an error";
  }
}

function veilOf(source, drawn) {
  const resume = (words) => state.mayChange && button(words, busy(() => act(source, "resume")), { symbol: "play" });
  switch (source.state) {
    case "running":
      return drawn ? null : { title: "Waiting for the first picture", detail: "" };
    case "starting":
      return { title: "Opening", detail: sentence(source.detail) };
    case "paused":
      return { title: "Paused", detail: "Nothing is looked at.", action: resume("Go on") };
    case "lost": {
      const gone = Math.max(0, (Date.now() - new Date(source.since)) / 1000);
      // By the minute once it has lasted: a text that changes every second is read out every second.
      const length = gone < 60 ? "less than a minute" : span(60 * Math.floor(gone / 60));
      return {
        title: `Lost since ${clock(source.since)}, for ${length}`,
        detail: sentence(source.detail) || "Trying again by itself.",
      };
    }
    case "ended":
      return {
        title: "It has ended",
        detail: "",
        action: h("div", { class: "actions" }, resume("From the beginning"), h("a", { class: "button", href: to("events", null, { source: source.id }) }, "Who was seen")),
      };
    default:
      return { title: "It cannot go on", detail: sentence(source.detail), action: resume("Try again") };
  }
}

function entries(source) {
  const running = ["running", "starting", "lost"].includes(source.state);
  return [
    running
      ? { words: "Pause", icon: "pause", act: busy(() => act(source, "pause")) }
      : { words: source.state === "paused" ? "Go on" : "Start again", icon: "play", act: busy(() => act(source, "resume")) },
    { words: "Rename", icon: "rename", act: () => rename(source.id) },
    { words: "Who was seen", icon: "events", act: () => go(to("events", null, { source: source.id })) },
    { words: "Remove", icon: "remove", danger: true, act: busy(() => remove(source.id)) },
  ];
}

async function act(source, verb) {
  const changed = await api.post(path`/sources/${source.id}/` + verb);
  if (changed?.id) state.putSource(changed);
}

function rename(id) {
  const source = state.source(id);
  openRename(source.name, async (name) => state.putSource(await api.patch(path`/sources/${id}`, { name }, { version: source.version })));
}

async function remove(id) {
  const source = state.source(id);
  const sure = await confirm({
    title: `Remove ${source.name}?`,
    words: "It is no longer watched. What was seen there stays among the events.",
    action: "Remove",
  });
  if (!sure) return;
  await api.delete(path`/sources/${id}`, { version: source.version });
  state.dropSource(id);
  toast(`${source.name} is removed`);
  go(to("live"));
}
