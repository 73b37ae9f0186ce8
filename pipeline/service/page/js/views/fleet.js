/** The fleet: cameras that `recog fleet` has other machines watch, and how each is. */

import { api } from "../api.js";
import { fill, h } from "../dom.js";
import { empty, head, trouble } from "../parts/blocks.js";
import { count, exact, when } from "../words.js";

const PAUSE = 5000; // milliseconds

export function mount(root) {
  const place = h("div", { role: "status" }, h("div", { class: "ghost ghost-line" }));
  fill(root, head("Fleet"), place);
  let timer = null;
  let left = false; // an answer may come after that
  const load = async () => {
    clearTimeout(timer);
    try {
      const fleet = await api.get("/fleet");
      if (left) return;
      draw(place, fleet);
      timer = setTimeout(load, PAUSE);
    } catch (error) {
      if (error.status === undefined) throw error;
      fill(place, trouble(error, load));
    }
  };
  load();
  return () => {
    left = true;
    clearTimeout(timer);
  };
}

function draw(place, fleet) {
  if (!fleet.cameras.length) {
    fill(place, empty("camera", "No fleet", "Cameras of other machines are shown here where recog serve is started with --fleet."));
    return;
  }
  fill(
    place,
    h(
      "section",
      { class: "panel" },
      fleet.stale && h("p", { class: "wrong" }, `Nothing was heard since ${exact(fleet.at)}: recog fleet run may have ended.`),
      h("ul", { class: "rows" }, fleet.cameras.map(row)),
    ),
  );
}

function row(camera) {
  const facts = [
    camera.machine && `on ${camera.machine}`,
    camera.fps !== null && `${camera.fps} frames a second`,
    camera.dropped > 0 && `${count(camera.dropped, "frame")} dropped`,
    camera.restarts > 0 && `begun again ${count(camera.restarts, "time")}`,
    camera.detail,
  ].filter(Boolean);
  return h(
    "li",
    {},
    h("span", {}, h("strong", {}, camera.name), ` ${camera.state}`, facts.length > 0 && h("span", { class: "faint" }, ` · ${facts.join(" · ")}`)),
    h("time", { class: "faint", datetime: camera.since }, when(camera.since)),
  );
}
