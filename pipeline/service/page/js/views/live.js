/** Live: all cameras in a grid, or one large; who is here now. */

import { fill, h, keyed } from "../dom.js";
import { icon } from "../icons.js";
import { addSourceButton } from "../live/add.js";
import { hereNow } from "../live/here.js";
import { tile } from "../live/tile.js";
import { empty, ghosts, head, trouble } from "../parts/blocks.js";
import { toast } from "../parts/toast.js";
import { openEvent } from "../events/card.js";
import { go, to } from "../router.js";
import { listen, live } from "../socket.js";
import { state } from "../state.js";

export function mount(root, { id }) {
  const large = id !== null;
  const here = hereNow(openEvent);
  const place = h("div", { class: large ? "stage-place" : "grid" });
  const others = h("nav", { class: "others", "aria-label": "Other cameras", hidden: !large });
  const hint = h("div", { class: "hint", hidden: true });
  const body = h("div", { class: "live" }, h("div", { class: "live-pictures" }, hint, place, others), here.node);
  const title = large ? backHead() : head("Live", state.mayChange && addSourceButton());
  fill(root, title, body);
  let tiles = new Map();
  let watched = "";

  function pick(face) {
    if (face.event) openEvent(face.event);
    else toast("This face has only just come into the picture.");
  }

  function draw() {
    const sources = state.sources;
    if (!sources) {
      fill(place, ghosts("grid-ghosts", 2));
      return;
    }
    if (!place.dataset.ready) {
      fill(place);
      place.dataset.ready = "yes";
    }
    if (large && !state.source(id)) {
      go(to("live"), { replace: true });
      return;
    }
    const shown = large ? [state.source(id)] : sources;
    body.hidden = sources.length === 0;
    root.querySelector(".empty")?.remove();
    if (sources.length === 0) root.append(nothing());
    place.dataset.number = String(Math.min(shown.length, 5));
    tiles = keyed(place, shown, (each) => each.id, (each) => tile(each, { large, onpick: pick }));
    if (large) {
      title.querySelector("h1").textContent = shown[0].name;
      fill(
        others,
        sources
          .filter((each) => each.id !== id)
          .map((each) => h("a", { class: "other", href: to("live", each.id), dataset: { state: each.state } }, h("span", { class: "dot" }), each.name)),
      );
    }
    const wanted = shown.map((each) => each.id);
    if (watched !== wanted.join()) {
      watched = wanted.join();
      live.watch(wanted, large ? "large" : "grid");
    }
  }

  function drawHint() {
    const nobody = state.people?.length === 0;
    hint.hidden = !nobody || !state.mayChange;
    if (nobody && !hint.childElementCount) {
      fill(hint, icon("people"), h("p", {}, "Nobody is enrolled yet, so everybody is unknown."), h("a", { class: "button button-primary", href: to("people", null, { add: "1" }) }, "Add the first person"));
    }
  }

  const ends = [
    state.on("sources", draw),
    state.on("people", drawHint),
    listen("picture", (picture) => {
      here.see(picture);
      const shown = tiles.get(picture.source);
      if (shown) shown.show(picture);
      else live.shown(picture.source, picture.frame);
    }),
  ];
  const timer = setInterval(() => {
    here.tick();
    for (const each of tiles.values()) each.tick();
  }, 1000);
  const keys = (event) => {
    if (!large || event.target.closest?.("input, textarea, select, dialog, details[open]")) return;
    if (event.key === "Escape") go(to("live"));
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const sources = state.sources ?? [];
    if (!step || sources.length < 2) return;
    const at = sources.findIndex((each) => each.id === id);
    go(to("live", sources[(at + step + sources.length) % sources.length].id), { replace: true });
  };
  document.addEventListener("keydown", keys);

  draw();
  drawHint();
  if (!state.sources) state.loadSources().catch((error) => fill(root, head("Live"), trouble(error, () => location.reload())));
  return () => {
    live.watch([]);
    clearInterval(timer);
    document.removeEventListener("keydown", keys);
    here.close();
    for (const end of ends) end();
  };
}

function backHead() {
  return h(
    "header",
    { class: "view-head" },
    h("a", { class: "button-icon", href: to("live"), "aria-label": "All cameras" }, icon("back")),
    h("h1", { tabindex: -1 }, "Live"),
  );
}

function nothing() {
  if (!state.mayChange) return empty("live", "No camera yet", "As soon as somebody who may change things adds one, it is here.");
  return empty(
    "live",
    "No camera yet",
    "Add a camera of this machine, one in your network, or a film. Everybody in it is followed, and people you have enrolled are named.",
    addSourceButton("primary"),
    h("a", { class: "button", href: to("start") }, "Three steps to begin"),
  );
}
