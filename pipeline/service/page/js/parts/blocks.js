/** Small blocks that views share: headings, empty states, failures, verdicts, faces. */

import { picture } from "../api.js";
import { h } from "../dom.js";
import { icon } from "../icons.js";
import { listen } from "../socket.js";
import { percent, sentence, who } from "../words.js";

/** The head of a view: its title, which takes the focus when one comes here, and what can be done. */
export function head(title, ...actions) {
  return h("header", { class: "view-head" }, h("h1", { tabindex: -1 }, title), h("div", { class: "view-actions" }, actions));
}

/** What is said where there is nothing yet: what will be here, and how it comes. */
export function empty(symbol, title, words, ...actions) {
  return h(
    "div",
    { class: "empty" },
    h("div", { class: "empty-symbol" }, icon(symbol)),
    h("h2", {}, title),
    h("p", {}, words),
    actions.length > 0 && h("div", { class: "actions" }, actions),
  );
}

/** A failure in place of what could not be loaded, with another try; where the service was away, it tries by itself. */
export function trouble(error, again) {
  const node = h(
    "div",
    { class: "empty", role: "alert" },
    h("div", { class: "empty-symbol" }, icon("warning")),
    h("h2", {}, "This could not be loaded"),
    h("p", {}, sentence(error.message)),
    h("div", { class: "actions" }, h("button", { type: "button", class: "button", onclick: again }, "Try again")),
    error.requestId && h("p", { class: "faint" }, `The service's log has more under ${error.requestId}.`),
  );
  if (error.status === 0) {
    const end = listen("up", () => {
      end();
      if (node.isConnected) again();
    });
  }
  return node;
}

/** Grey shapes where content will be, so that nothing jumps when it comes. */
export function ghosts(className, number = 6) {
  return h(
    "div",
    { class: className, role: "status", "aria-label": "Loading" },
    Array.from({ length: number }, () => h("div", { class: "ghost" })),
  );
}

/** A square picture of a face; an outline where there is none. The text beside it says whose it is. */
export function face(url, className = "face-picture") {
  if (!url) return h("span", { class: `${className} face-none` }, icon("people"));
  const image = h("img", { class: className, src: picture(url), alt: "", loading: "lazy", decoding: "async" });
  image.addEventListener("error", () => image.replaceWith(face(null, className)));
  return image;
}

/** Show another picture in a place that holds one; what was there stays until the new one has come. */
export function showFace(place, url, className) {
  const image = place.firstElementChild;
  if (url && image?.tagName === "IMG") {
    const wanted = picture(url);
    if (image.src !== wanted) image.src = wanted;
  } else if (url || !image?.classList.contains("face-none")) place.replaceChildren(face(url, className));
}

/**
 * Where the picture of an event is. It gets better while somebody is there, under the same address, and browsers
 * keep what they have of an address for as long as the page stands.
 */
export function shotOf(event) {
  if (!event.thumbnail) return null;
  return `${event.thumbnail}?of=${event.present === false ? "all" : Math.ceil(Math.log2(event.looks + 1))}`;
}

/** The verdict on a face as a coloured dot and words. */
export function verdict(seen) {
  const sure = seen.state !== "undecided" && seen.confidence ? percent(seen.confidence) : null;
  return h(
    "span",
    { class: "verdict", dataset: { state: seen.state } },
    h("span", { class: "dot", "aria-hidden": "true" }),
    h("span", { class: "verdict-name" }, who(seen)),
    sure && h("span", { class: "verdict-sure" }, sure),
  );
}

/** A button. `kind`: "primary", "danger", "quiet" or nothing. */
export function button(words, onclick, { kind, symbol, ...props } = {}) {
  return h(
    "button",
    { type: "button", class: kind ? `button button-${kind}` : "button", onclick, ...props },
    symbol && icon(symbol),
    words,
  );
}

/** A form field with its label above and, where there is something to say, a hint below. */
export function field(label, input, hint) {
  return h("label", { class: "field" }, h("span", { class: "field-label" }, label), input, hint && h("span", { class: "field-hint" }, hint));
}
