/** What was changed in the gallery, newest first; the last change can be taken back. */

import { api } from "../api.js";
import { fill, h } from "../dom.js";
import { button } from "../parts/blocks.js";
import { busy } from "../parts/toast.js";
import { state } from "../state.js";
import { count, sentence, when } from "../words.js";
import { undoing } from "./enroll.js";

const SHOWN = 10;

/** @returns {{node: Element, load: () => void}} loads when it is opened, and again when told to. */
export function historyPart() {
  const list = h("ol", { class: "history" });
  const node = h("details", { class: "more history-part" }, h("summary", {}, "What was changed"), list);
  async function load() {
    if (!node.open) return;
    try {
      const { items } = await api.get("/history", { limit: SHOWN });
      const next = items.find((each) => !each.undone && !each.action.startsWith("remove"));
      fill(
        list,
        items.map((each) =>
          h(
            "li",
            {},
            h("span", { class: each.undone ? "history-words history-undone" : "history-words" }, described(each), each.undone && " (taken back)"),
            h("time", { class: "faint", datetime: each.at }, when(each.at)),
            state.mayChange && each === next && button("Undo", busy(undoing(each.id)), { kind: "quiet", symbol: "undo" }),
          ),
        ),
        items.length === 0 && h("li", { class: "faint" }, "Nothing yet."),
      );
    } catch (error) {
      if (error.status === undefined) throw error;
      fill(list, h("li", { class: "faint" }, sentence(error.message)));
    }
  }
  node.addEventListener("toggle", load);
  return { node, load };
}

function described({ action, person, other, count: photos, undone }) {
  const who = person ?? "somebody who was removed since";
  const number = count(photos, "photo");
  switch (action) {
    case "enroll":
      return `${number} of ${who} added`;
    case "rename":
      return undone ? `${who} renamed` : `${who} renamed to ${other}`;
    case "merge":
      return `${who} merged into ${other ?? "somebody who was removed since"}`;
    case "remove":
      return "Somebody removed for good";
    case "remove photos":
      return `${number} of ${who} removed for good`;
    case "set aside":
      return `${number} of ${who} set aside`;
    case "bring back":
      return `${number} of ${who} brought back`;
    case "deny":
      return `Somebody is not ${who}`;
    case "withdraw":
      return `Taken back that somebody is not ${who}`;
    case "note":
      return "Calibrated";
    case "import":
      return `${count(photos, "person", "people")} imported`;
    default:
      return `${action}${person ? `: ${person}` : ""}`;
  }
}
