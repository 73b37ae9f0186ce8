/** Elements without a framework: making them, and keeping a list of them in step with data. */

const SVG = "http://www.w3.org/2000/svg";
const AS_PROPERTY = new Set(["value", "checked", "disabled", "indeterminate", "hidden", "muted", "srcObject", "inert"]);

/**
 * An element.
 *
 * @param {string} tag
 * @param {object} props attributes; besides `class`, `dataset`, `on...` (listeners) and `css` (properties of its
 *   style, which the content security policy allows to be set one by one, but not as an attribute).
 * @param {...any} children nodes, text, arrays of them; null and false are left out.
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name === "dataset") Object.assign(element.dataset, value);
    else if (name === "css") css(element, value);
    else if (AS_PROPERTY.has(name)) element[name] = value;
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false) element.setAttribute(name, String(value));
  }
  element.append(...nodes(children));
  return element;
}

/** An icon of `paths`, drawn in the colour of the text; hidden from screen readers. */
export function drawing(paths, className = "icon") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", className);
  svg.setAttribute("aria-hidden", "true");
  for (const each of paths) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", each);
    svg.append(path);
  }
  return svg;
}

/** Set properties of an element's style, custom ones too. */
export function css(element, properties) {
  for (const [name, value] of Object.entries(properties)) element.style.setProperty(name, value);
}

/** Say something else in a node, without touching it where it says so already. */
export function say(node, words) {
  if (node.textContent !== words) node.textContent = words;
}

/** Put other children into an element. */
export function fill(element, ...children) {
  element.replaceChildren(...nodes(children));
  return element;
}

function nodes(children) {
  return children.flat(Infinity).filter((each) => each !== null && each !== undefined && each !== false && each !== "");
}

const kept = new WeakMap(); // parent -> Map of key -> part

/**
 * Keep the children of `parent` in step with `items`: an element stays the same one (with its focus) while its
 * item is there, and is updated.
 *
 * @param {Element} parent holds nothing else.
 * @param {Array} items
 * @param {(item) => string} keyOf
 * @param {(item) => {node: Element, update?: (item) => void, close?: () => void}} make
 * @returns {Map<string, object>} the parts by key.
 */
export function keyed(parent, items, keyOf, make) {
  const before = kept.get(parent) ?? new Map();
  const now = new Map();
  for (const item of items) {
    const key = keyOf(item);
    now.set(key, before.get(key) ?? make(item));
  }
  for (const [key, part] of before) {
    if (now.has(key)) continue;
    part.node.remove();
    part.close?.();
  }
  let place = parent.firstChild;
  for (const item of items) {
    const part = now.get(keyOf(item));
    part.update?.(item);
    if (part.node === place) place = place.nextSibling;
    else parent.insertBefore(part.node, place);
  }
  kept.set(parent, now);
  return now;
}

let last = 0;
/** An id for an element, unlike any other on the page. */
export function newId(prefix) {
  last += 1;
  return `${prefix}-${last}`;
}
