/**
 * Short words at the edge of the screen. What can be taken back is offered here, without a question before:
 * by its button, or by Ctrl-Z while it is shown.
 */

import { h } from "../dom.js";
import { icon } from "../icons.js";
import { sentence } from "../words.js";

const SECONDS = 8;
const MOST = 3;
let undoable = []; // what Ctrl-Z does, newest last
const closers = new WeakMap(); // toast -> what puts it away

/**
 * @param {string} words
 * @param {{undo?: () => Promise<void>, bad?: boolean}} options
 */
export function toast(words, { undo, bad = false } = {}) {
  const shelf = document.getElementById("toasts");
  // What lies outside an open dialog cannot be reached, so the words go into it.
  const top = [...document.querySelectorAll("dialog[open]")].at(-1) ?? document.body;
  if (shelf.parentElement !== top) top.append(shelf);
  const close = () => {
    clearTimeout(timer);
    undoable = undoable.filter((each) => each !== takeBack);
    node.remove();
  };
  const takeBack = async () => {
    close();
    try {
      await undo();
    } catch (error) {
      failed(error);
    }
  };
  const node = h(
    "div",
    { class: bad ? "toast toast-bad" : "toast" },
    bad && icon("warning"),
    h("p", {}, words),
    undo && h("button", { type: "button", class: "toast-undo", onclick: takeBack }, "Undo"),
    h("button", { type: "button", class: "toast-close", "aria-label": "Close", onclick: close }, icon("close")),
  );
  let timer = setTimeout(close, 1000 * SECONDS);
  const stay = () => clearTimeout(timer);
  const go = () => {
    stay(); // pointer and focus may both have left
    timer = setTimeout(close, 1000 * SECONDS);
  };
  node.addEventListener("pointerenter", stay);
  node.addEventListener("pointerleave", go);
  node.addEventListener("focusin", stay);
  node.addEventListener("focusout", go);
  if (undo) undoable.push(takeBack);
  closers.set(node, close);
  shelf.append(node);
  while (shelf.children.length > MOST) closers.get(shelf.firstElementChild)();
}

/** Put all of them away. */
export function clearToasts() {
  for (const node of [...document.getElementById("toasts").children]) closers.get(node)();
}

/** Say what went wrong. A failure that is no `Problem` is a bug of the page: it also goes to the console. */
export function failed(error) {
  if (error.status === undefined) console.error(error);
  const wait = error.retryAfter ? ` Try again in ${error.retryAfter} s.` : "";
  toast(`${sentence(error.message)}${wait}`, { bad: true });
}

/** A listener that says what went wrong, and keeps its button from being pressed twice meanwhile. */
export function busy(work) {
  return async (event) => {
    const button = event?.currentTarget ?? null;
    if (button?.getAttribute?.("aria-busy") === "true") return;
    button?.setAttribute?.("aria-busy", "true");
    try {
      await work(event);
    } catch (error) {
      failed(error);
    } finally {
      button?.removeAttribute?.("aria-busy");
    }
  };
}

document.addEventListener("keydown", (event) => {
  const writing = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (!(event.ctrlKey || event.metaKey) || event.shiftKey || event.key !== "z" || writing) return;
  const newest = undoable.at(-1);
  if (!newest) return;
  event.preventDefault();
  newest();
});
