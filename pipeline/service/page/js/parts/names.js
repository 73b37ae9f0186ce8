/** A field for somebody's name: it suggests who is enrolled, with their faces, and takes a new name as well. */

import { h, newId, fill } from "../dom.js";
import { state } from "../state.js";
import { face } from "./blocks.js";

const MOST = 6; // suggestions

/**
 * @param {{label: string, value?: string, onlyEnrolled?: boolean, except?: string, onpick?: (who) => void}} options
 *   `onpick` is called with `{person, name}` or `{name}` where somebody is picked or Enter is pressed.
 * @returns {{node: Element, input: HTMLInputElement, who: () => {person?: string, name: string}|null}}
 */
export function nameField({ label, value = "", onlyEnrolled = false, except = null, onpick = null }) {
  const id = newId("names");
  let shown = [];
  let active = -1;
  const options = h("ul", { class: "names-list", id, role: "listbox", "aria-label": label, hidden: true });
  const input = h("input", {
    type: "text",
    class: "input",
    role: "combobox",
    "aria-label": label,
    "aria-expanded": "false",
    "aria-controls": id,
    "aria-autocomplete": "list",
    placeholder: label,
    autocomplete: "off",
    autocapitalize: "words",
    spellcheck: "false",
    maxlength: 100,
    value,
  });

  const close = () => {
    options.hidden = true;
    active = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const pick = (person) => {
    input.value = person.name;
    close();
    onpick?.({ person: person.id, name: person.name });
  };
  const open = () => {
    const typed = input.value.trim().toLowerCase();
    const fits = (state.people ?? []).filter((each) => each.id !== except && each.name.toLowerCase().includes(typed));
    fits.sort((a, b) => b.name.toLowerCase().startsWith(typed) - a.name.toLowerCase().startsWith(typed));
    shown = fits.slice(0, MOST);
    fill(
      options,
      shown.map((person, i) =>
        h(
          "li",
          {
            id: `${id}-${i}`,
            role: "option",
            "aria-selected": "false",
            onpointerdown: (event) => event.preventDefault(), // the field keeps the focus
            onclick: () => pick(person),
          },
          face(person.portrait, "face-small"),
          person.name,
        ),
      ),
    );
    active = -1;
    options.hidden = shown.length === 0;
    input.setAttribute("aria-expanded", String(shown.length > 0));
    input.removeAttribute("aria-activedescendant");
  };
  const move = (step) => {
    if (options.hidden) open();
    if (!shown.length) return;
    options.children[active]?.setAttribute("aria-selected", "false");
    active = (active + step + shown.length) % shown.length;
    options.children[active].setAttribute("aria-selected", "true");
    options.children[active].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", `${id}-${active}`);
  };
  const who = () => {
    const name = input.value.trim();
    if (!name) return null;
    const known = (state.people ?? []).find((each) => each.name.toLowerCase() === name.toLowerCase() && each.id !== except);
    if (known) return { person: known.id, name: known.name };
    return onlyEnrolled ? null : { name };
  };

  input.addEventListener("input", open);
  input.addEventListener("click", open);
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    switch (event.key) {
      case "ArrowDown":
        move(1);
        break;
      case "ArrowUp":
        move(-1);
        break;
      case "Escape":
        if (options.hidden) return;
        event.stopPropagation();
        close();
        break;
      case "Enter":
        if (active >= 0) pick(shown[active]);
        else if (onpick && who()) {
          const picked = who();
          close();
          onpick(picked);
        } else return; // the form sends itself
        break;
      default:
        return;
    }
    event.preventDefault();
  });
  if (!state.people) state.loadPeople().catch(() => {}); // without suggestions, the name can still be typed
  return { node: h("div", { class: "names" }, input, options), input, who };
}
