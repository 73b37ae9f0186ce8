/** Asking for another name. */

import { h } from "../dom.js";
import { field } from "./blocks.js";
import { openDialog } from "./dialog.js";
import { busy } from "./toast.js";

/**
 * @param {string} name the present one
 * @param {(name: string) => Promise<void>} save gives the other; the dialog stays where the name was refused, and
 *   goes where what is renamed has changed meanwhile, for then it is to be looked at again.
 */
export function openRename(name, save) {
  const input = h("input", { class: "input", value: name, maxlength: 100, required: true, pattern: ".*\\S.*", title: "A name", autocomplete: "off" });
  const dialog = openDialog(
    { title: `Rename ${name}`, className: "dialog-small" },
    h(
      "form",
      {
        onsubmit: busy(async (event) => {
          event.preventDefault();
          try {
            await save(input.value.trim());
          } catch (error) {
            if (error.code === "changed") dialog.close();
            throw error;
          }
          dialog.close();
        }),
      },
      field("Name", input),
      h("div", { class: "actions" }, h("button", { class: "button button-primary" }, "Rename")),
    ),
  );
  input.select();
}
