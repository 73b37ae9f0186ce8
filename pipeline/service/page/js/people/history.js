/** What was changed in the gallery, newest first; the last change can be taken back. */

import { api } from "../api.js";
import { fill, h } from "../dom.js";
import { button } from "../parts/blocks.js";
import { busy } from "../parts/toast.js";
import { state } from "../state.js";
import { when } from "../words.js";
import { undoLast } from "./enroll.js";

const SHOWN = 10;

/** @returns {{node: Element, load: () => void}} loads when it is opened, and again when told to. */
export function historyPart() {
  const list = h("ol", { class: "history" });
  const node = h("details", { class: "more history-part" }, h("summary", {}, "What was changed"), list);
  async function load() {
    if (!node.open) return;
    try {
      const { items } = await api.get("/history", { limit: SHOWN });
      const undoable = items.findIndex((each) => each.undoable);
      fill(
        list,
        items.map((each, i) =>
          h(
            "li",
            {},
            h("span", { class: "history-words" }, each.words ?? [each.action, each.name, each.other].filter(Boolean).join(" ")),
            h("time", { class: "faint", datetime: each.at }, when(each.at)),
            state.mayChange && i === undoable && i === 0 && button("Undo", busy(undoLast), { kind: "quiet", symbol: "undo" }),
          ),
        ),
        items.length === 0 && h("li", { class: "faint" }, "Nothing yet."),
      );
    } catch (error) {
      if (error.status === undefined) throw error;
      fill(list, h("li", { class: "faint" }, error.message));
    }
  }
  node.addEventListener("toggle", load);
  return { node, load };
}
