/** Dialogs, by the browser's own element: it keeps the focus inside, and Escape closes it. */

import { h, newId } from "../dom.js";
import { icon } from "../icons.js";

/**
 * Show a dialog.
 *
 * @param {{title: string, className?: string, onclose?: () => void}} options
 * @param {...any} children
 * @returns {{node: HTMLDialogElement, body: HTMLElement, close: () => void}}
 */
export function openDialog({ title, className = "", onclose }, ...children) {
  const id = newId("dialog");
  const body = h("div", { class: "dialog-body" }, ...children);
  const node = h(
    "dialog",
    { class: `dialog ${className}`, "aria-labelledby": id },
    h(
      "div",
      { class: "dialog-head" },
      h("h2", { id, tabindex: -1, autofocus: true }, title),
      h("button", { type: "button", class: "button-icon", "aria-label": "Close", onclick: () => node.close() }, icon("close")),
    ),
    body,
  );
  // A click on the backdrop is one on the dialog itself, outside its content.
  let pressed = false;
  node.addEventListener("pointerdown", (event) => (pressed = event.target === node));
  node.addEventListener("click", (event) => {
    if (pressed && event.target === node) node.close();
  });
  node.addEventListener("close", () => {
    const toasts = node.querySelector("#toasts");
    if (toasts) document.body.append(toasts);
    node.remove();
    onclose?.();
  });
  document.body.append(node);
  node.showModal();
  return { node, body, close: () => node.close() };
}

/** Put away all that are open, the newest first. */
export function closeDialogs() {
  for (const node of [...document.querySelectorAll("dialog[open]")].reverse()) node.close();
}

/**
 * Ask before something that cannot be taken back.
 *
 * @returns {Promise<boolean>} whether to go on.
 */
export function confirm({ title, words, action }) {
  return new Promise((resolve) => {
    let answer = false;
    const dialog = openDialog(
      { title, className: "dialog-small", onclose: () => resolve(answer) },
      h("p", {}, words),
      h(
        "div",
        { class: "actions" },
        h(
          "button",
          {
            type: "button",
            class: "button button-danger",
            onclick: () => {
              answer = true;
              dialog.close();
            },
          },
          action,
        ),
        h("button", { type: "button", class: "button", onclick: () => dialog.close() }, "Cancel"),
      ),
    );
  });
}
