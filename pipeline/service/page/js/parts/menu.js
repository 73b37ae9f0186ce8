/** A menu of a few actions behind three dots. */

import { h } from "../dom.js";
import { icon } from "../icons.js";

/**
 * @param {string} label for screen readers: of what these are the actions
 * @param {Array<{words: string, icon: string, act: () => any, danger?: boolean}>} entries
 */
export function menu(label, entries) {
  const node = h(
    "details",
    { class: "menu" },
    h("summary", { class: "button-icon", "aria-label": label }, icon("more")),
    h(
      "div",
      { class: "menu-list" },
      entries.map((entry) =>
        h(
          "button",
          {
            type: "button",
            class: entry.danger ? "menu-entry menu-danger" : "menu-entry",
            onclick: () => {
              node.open = false;
              node.firstElementChild.focus();
              entry.act();
            },
          },
          icon(entry.icon),
          entry.words,
        ),
      ),
    ),
  );
  node.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !node.open) return;
    event.stopPropagation();
    node.open = false;
    node.firstElementChild.focus();
  });
  node.addEventListener("focusout", (event) => {
    if (!node.contains(event.relatedTarget)) node.open = false;
  });
  // Safari gives buttons no focus on a click, so the menu would not notice clicks elsewhere.
  node.addEventListener("toggle", () => {
    if (!node.open) return;
    const away = (event) => {
      if (node.contains(event.target)) return;
      node.open = false;
      document.removeEventListener("pointerdown", away);
    };
    document.addEventListener("pointerdown", away);
  });
  return node;
}
