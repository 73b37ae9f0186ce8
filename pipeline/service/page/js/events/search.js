/** "Was this person here before?": events that may show the face of a picture, from the looks that are kept. */

import { api } from "../api.js";
import { fill, h } from "../dom.js";
import { icon } from "../icons.js";
import { face, shotOf } from "../parts/blocks.js";
import { openDialog } from "../parts/dialog.js";
import { failed } from "../parts/toast.js";
import { droppable, picturesOf } from "../people/enroll.js";
import { state } from "../state.js";
import { count, percent, when, who } from "../words.js";
import { openEvent } from "./card.js";

const SHOWN = 12;
const LIKELY = 0.5; // probability from which an event is shown

/** Ask for a picture, and show where its face was seen. */
export function openSearch() {
  const found = h("div", { role: "status" });
  const input = h("input", { type: "file", accept: "image/*,.heic,.heif,.avif", class: "visually-hidden", "aria-label": "Choose a picture" });
  const drop = h(
    "label",
    { class: "drop" },
    icon("search"),
    h("span", {}, h("strong", {}, "Drop a picture of one face"), " or choose one"),
    h("span", { class: "faint" }, "It is compared and not kept."),
    input,
  );
  const body = h("div", { class: "enroll" }, drop, found);
  const look = async ([file]) => {
    fill(found, h("div", { class: "ghost ghost-line" }), h("div", { class: "ghost ghost-line" }));
    const form = new FormData();
    form.append("image", file, file.name);
    try {
      fill(found, shown(await api.upload("/tapes/search", form)));
    } catch (error) {
      fill(found);
      failed(error);
    }
  };
  input.addEventListener("change", () => {
    const files = picturesOf(input);
    input.value = "";
    if (files.length) look(files);
  });
  droppable(body, look);
  openDialog({ title: "Was this person here before?" }, body);
}

function shown(answer) {
  const items = answer.items.filter((each) => each.probability >= LIKELY).slice(0, SHOWN);
  const words = answer.here_before
    ? `Yes: seen here before, ${percent(answer.probability)} sure.`
    : `Not as far as can be told, among ${count(answer.searched, "visit")}.`;
  return [
    h("h3", {}, words),
    answer.here_before &&
      h(
        "ul",
        { class: "found" },
        items.map(({ event, probability }) =>
          h(
            "li",
            {},
            h(
              "button",
              { type: "button", class: "here-row", onclick: () => openEvent(event.id) },
              face(shotOf(event), "face-small"),
              h("span", { class: "here-words" }, h("span", { class: "here-name" }, who(event)), h("span", { class: "here-where" }, `${state.source(event.source)?.name ?? "A source that was removed"} · ${when(event.at)}`)),
              h("span", { class: "here-sure" }, percent(probability)),
            ),
          ),
        ),
      ),
  ];
}
