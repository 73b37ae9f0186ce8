/** Adding a source: a camera of this machine, a film that the service may read, or an address. */

import { api } from "../api.js";
import { fill, h } from "../dom.js";
import { icon } from "../icons.js";
import { button, field } from "../parts/blocks.js";
import { openDialog } from "../parts/dialog.js";
import { busy } from "../parts/toast.js";
import { state } from "../state.js";
import { sentence } from "../words.js";

const SYMBOLS = { camera: "camera", file: "live", demo: "play" };

/** A form that adds a source; `done` is called with it. */
export function sourceForm(done) {
  const found = h("div", { class: "choices" }, h("p", { class: "faint" }, "Looking for cameras…"));
  const url = h("input", {
    class: "input",
    required: true,
    placeholder: "rtsp://camera.local/stream",
    autocomplete: "off",
    autocapitalize: "off",
    spellcheck: "false",
    inputmode: "url",
  });
  const name = h("input", { class: "input", placeholder: "Door", maxlength: 100, autocomplete: "off" });
  const wrong = h("p", { class: "wrong", role: "alert", hidden: true });

  const add = async (source) => {
    wrong.hidden = true;
    try {
      const added = await api.post("/sources", source);
      state.putSource(added);
      done(added);
    } catch (error) {
      if (error.status === undefined) throw error;
      wrong.hidden = false;
      wrong.textContent = sentence(error.message);
    }
  };
  const look = async () => {
    const { items } = await api.get("/cameras");
    const taken = new Set((state.sources ?? []).map((each) => each.url));
    fill(
      found,
      items
        .filter((each) => !taken.has(each.url))
        .map((each) =>
          h(
            "button",
            { type: "button", class: "choice", onclick: busy(() => add({ url: each.url, name: each.name })) },
            icon(SYMBOLS[each.kind] ?? "live"),
            h("span", {}, each.name),
            h("span", { class: "faint" }, { camera: "Camera of this machine", file: "Film", demo: "A short film to try with" }[each.kind] ?? ""),
          ),
        ),
    );
    if (!found.childElementCount) fill(found, h("p", { class: "faint" }, "This machine has no camera that the service can open. A camera in the network has an address:"));
  };
  look().catch((error) => fill(found, h("p", { class: "faint" }, sentence(error.message))));
  return h(
    "div",
    { class: "add-source" },
    found,
    h(
      "form",
      {
        class: "add-address",
        onsubmit: busy(async (event) => {
          event.preventDefault();
          await add({ url: url.value.trim(), name: name.value.trim() || undefined });
        }),
      },
      field("Address", url, "rtsp:// or http://, with user and password if the camera wants them. They are kept by the service and never shown again."),
      field("Name (optional)", name),
      wrong,
      h("div", { class: "actions" }, h("button", { class: "button button-primary" }, "Add")),
    ),
  );
}

/** The same in a dialog. */
export function addSource() {
  const dialog = openDialog({ title: "Add a camera or a film" }, sourceForm(() => dialog.close()));
}

/** The button that opens it. */
export const addSourceButton = (kind) => button("Add a camera", addSource, { kind, symbol: "plus" });
