/** Who is here now, and what happened just before: beside the pictures. */

import { api, path } from "../api.js";
import { css, h, keyed, say } from "../dom.js";
import { shotOf, showFace } from "../parts/blocks.js";
import { to } from "../router.js";
import { listen } from "../socket.js";
import { state } from "../state.js";
import { clock, count, percent, who } from "../words.js";

const PATIENCE = 1500; // milliseconds that somebody may be out of sight before leaving the list
const RECENT = 6;

/**
 * @param {(event: string) => void} onpick called with an event's id.
 * @returns {{node: Element, see: (picture) => void, tick: () => void, close: () => void}}
 */
export function hereNow(onpick) {
  const present = new Map(); // source and key of a track -> {face, source, first, last}
  const rows = h("ul", { class: "here-list" });
  const nobody = h("p", { class: "faint here-nobody" }, "Nobody is in the pictures.");
  const title = h("h2", {}, "Here now");
  const recent = h("ul", { class: "here-list" });
  const none = h("p", { class: "faint here-nobody" }, "Nothing yet.");
  const node = h(
    "aside",
    { class: "here", "aria-label": "Who is here" },
    h("section", { class: "here-now" }, title, nobody, rows),
    h("section", { class: "here-recent" }, h("h2", {}, "Just before"), none, recent, h("a", { class: "link", href: to("events") }, "All events")),
  );
  let events = [];

  function see(picture) {
    const now = Date.now();
    for (const each of picture.faces) {
      if (each.track < 0) continue; // not confirmed: it may be no face at all
      const key = `${picture.source} ${each.key}`;
      const before = present.get(key);
      present.set(key, { key, face: each, source: picture.source, first: before?.first ?? now, last: now });
    }
    tick();
  }

  function tick() {
    const now = Date.now();
    for (const [key, each] of present) {
      const running = state.source(each.source)?.state === "running";
      if (!running || now - each.last > PATIENCE) present.delete(key);
    }
    const people = [...grouped(present.values())];
    keyed(rows, people, (each) => each.key, (each) => row(each, onpick));
    nobody.hidden = people.length > 0;
    say(title, people.length ? `Here now · ${people.length}` : "Here now");
  }

  function draw() {
    const items = events.slice(0, RECENT);
    keyed(recent, items, (each) => each.id, (each) => eventRow(each, onpick));
    none.hidden = items.length > 0;
  }

  async function load() {
    events = (await api.get("/events", { limit: RECENT })).items;
    draw();
  }

  const deaf = [
    listen("event", ({ event }) => {
      events = [event, ...events.filter((each) => each.id !== event.id)].sort((a, b) => (a.at < b.at ? 1 : -1)).slice(0, 2 * RECENT);
      draw();
    }),
    listen("up", () => load().catch(() => {})), // the offline notice says it already
  ];
  load().catch(() => {}); // the view's own trouble says it already
  draw();
  tick();
  return { node, see, tick, close: () => deaf.forEach((end) => end()) };
}

/** One entry for each person, whichever cameras see them; strangers stay one by one. */
function* grouped(entries) {
  const named = new Map();
  const others = [];
  for (const each of entries) {
    const { face } = each;
    if (face.state !== "named") others.push({ ...each, since: each.first });
    else {
      const id = face.person ?? face.name;
      const before = named.get(id);
      const better = !before || face.confidence > before.face.confidence ? each : before;
      named.set(id, { ...better, key: `person ${id}`, since: Math.min(each.first, before?.since ?? Infinity) });
    }
  }
  yield* named.values();
  yield* others;
}

function row(first, onpick) {
  let shown = first;
  const name = h("span", { class: "here-name" });
  const where = h("span", { class: "here-where" });
  const sure = h("span", { class: "here-sure" });
  const image = h("span", { class: "here-face" });
  const node = h(
    "li",
    {},
    h("button", { type: "button", class: "here-row", onclick: () => shown.face.event && onpick(shown.face.event) }, image, h("span", { class: "here-words" }, name, where), sure),
  );
  return {
    node,
    update(entry) {
      shown = entry;
      const seen = entry.face;
      node.firstElementChild.dataset.state = seen.state;
      css(node.firstElementChild, { "--evidence": String(seen.confidence ?? 0) });
      say(name, who(seen));
      say(where, `Since ${clock(entry.since)} · ${state.source(entry.source)?.name ?? ""}`);
      say(sure, seen.state === "undecided" ? seen.looks ? count(seen.looks, "look") : "" : percent(seen.confidence));
      const shot = seen.event && shotOf({ thumbnail: `/api/v1${path`/events/${seen.event}/thumbnail.jpg`}`, looks: seen.looks });
      showFace(image, (seen.state === "named" && state.person(seen.person)?.portrait) || shot, "face-small");
    },
  };
}

function eventRow(first, onpick) {
  const name = h("span", { class: "here-name" });
  const where = h("span", { class: "here-where" });
  const image = h("span", { class: "here-face" });
  const node = h(
    "li",
    {},
    h("button", { type: "button", class: "here-row", onclick: () => onpick(first.id) }, image, h("span", { class: "here-words" }, name, where)),
  );
  return {
    node,
    update(event) {
      node.firstElementChild.dataset.state = event.state;
      say(name, who(event));
      say(where, `${clock(event.at)} · ${state.source(event.source)?.name ?? "A source that was removed"}`);
      showFace(image, shotOf(event), "face-small");
    },
  };
}
