/** People: who is enrolled; one of them close up at `#/people/<id>`. */

import { fill, h, keyed, say } from "../dom.js";
import { icon } from "../icons.js";
import { button, empty, face, ghosts, head, trouble } from "../parts/blocks.js";
import { droppable, openEnroll, picturesOf } from "../people/enroll.js";
import { historyPart } from "../people/history.js";
import { mountPerson } from "../people/person.js";
import { to } from "../router.js";
import { state } from "../state.js";
import { count, when } from "../words.js";

export function mount(root, { id, query }) {
  return id === null ? mountList(root, query) : mountPerson(root, id);
}

function mountList(root, query) {
  const search = h("input", { type: "search", class: "input", placeholder: "Search", "aria-label": "Search by name", oninput: () => draw() });
  const grid = h("ul", { class: "people" });
  const place = h("div", {}, ghosts("people-ghosts", 8));
  const add = state.mayChange && button("Add somebody", () => openEnroll(), { kind: "primary", symbol: "plus" });
  const log = historyPart();
  const page = h("div", { class: "drop-page" }, head("People", search, add), place, h("p", { class: "drop-here", "aria-hidden": "true" }, icon("upload"), "Drop the photos to enroll somebody new"), log.node);
  fill(root, page);

  function draw() {
    if (!state.people) return;
    const typed = search.value.trim().toLowerCase();
    const shown = state.people.filter((each) => each.name.toLowerCase().includes(typed));
    keyed(grid, shown, (each) => each.id, personCard);
    search.hidden = state.people.length < 6;
    if (!state.people.length) fill(place, nobody());
    else if (!shown.length) fill(place, empty("search", "Nobody of that name", "Look at the spelling, or clear the search."));
    else if (!grid.isConnected) fill(place, grid);
  }

  const pasted = (event) => {
    const files = picturesOf(event.clipboardData);
    if (files.length && !document.querySelector("dialog[open]")) openEnroll({ files });
  };
  if (state.mayChange) {
    droppable(page, (files) => openEnroll({ files }));
    document.addEventListener("paste", pasted);
  }
  const end = state.on("people", () => {
    draw();
    log.load();
  });
  if (state.people) draw();
  const load = () => state.loadPeople().catch((error) => fill(place, trouble(error, load)));
  load();
  if (query.add && state.mayChange) openEnroll();
  return () => {
    end();
    document.removeEventListener("paste", pasted);
  };
}

function personCard(first) {
  let shown = first;
  const image = h("span", { class: "person-face" });
  const name = h("span", { class: "person-name" });
  const facts = h("span", { class: "person-facts" });
  const warning = h("span", { class: "person-warning" });
  const link = h("a", { class: "person", href: to("people", first.id) }, image, name, facts, warning);
  if (state.mayChange) droppable(link, (files) => openEnroll({ person: shown, files }));
  let pictured;
  return {
    node: h("li", {}, link),
    update(person) {
      shown = person;
      say(name, person.name);
      say(facts, person.last_seen ? `Seen ${when(person.last_seen.at)}` : count(person.photos, "photo"));
      fill(warning, person.warnings.length > 0 && [icon("warning"), person.warnings.length === 1 ? "Look at this" : `${person.warnings.length} things to look at`]);
      if (pictured === person.portrait) return;
      pictured = person.portrait;
      fill(image, face(person.portrait, "face-large"));
    },
  };
}

function nobody() {
  if (!state.mayChange) return empty("people", "Nobody is enrolled yet", "Everybody before a camera is unknown until somebody who may change things enrolls them.");
  return empty(
    "people",
    "Nobody is enrolled yet",
    "Drop a photo of somebody anywhere on this page, or add them here. From then on they are named wherever they are seen; everybody else stays unknown.",
    button("Add the first person", () => openEnroll(), { kind: "primary", symbol: "plus" }),
  );
}
