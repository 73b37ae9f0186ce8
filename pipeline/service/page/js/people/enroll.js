/** Photos of somebody: chosen, dropped or taken by the browser's camera; and what became of each. */

import { api, path } from "../api.js";
import { fill, h } from "../dom.js";
import { icon } from "../icons.js";
import { button } from "../parts/blocks.js";
import { openDialog } from "../parts/dialog.js";
import { nameField } from "../parts/names.js";
import { busy, toast } from "../parts/toast.js";
import { go, to } from "../router.js";
import { state } from "../state.js";
import { count } from "../words.js";
import { cameraGuide } from "./camera.js";

// Codes of the service for: none of the photos was stored.
const NOTHING = new Map([
  ["no_usable_photo", "No photo could be used"],
  ["looks_like_another", "They look like somebody else"],
  ["already_enrolled", "These photos are there already"],
]);
const WORDS = { accepted: "Added", rejected: "Not added", duplicate: "Already there", "held back": "Held back" };

/** The pictures among files that were dropped, pasted or chosen. */
export function picturesOf(transfer) {
  return [...(transfer?.files ?? [])].filter((file) => file.type.startsWith("image/") || /\.(heic|heif|avif)$/i.test(file.name));
}

/** Let files be dropped on `node`; it says so while they are over it. */
export function droppable(node, ondrop) {
  let inside = 0; // entering a child comes before leaving its parent
  const carries = (event) => event.dataTransfer?.types.includes("Files");
  node.addEventListener("dragenter", (event) => {
    if (!carries(event)) return;
    inside += 1;
    node.classList.add("dropping");
  });
  node.addEventListener("dragleave", (event) => {
    if (!carries(event)) return;
    inside = Math.max(0, inside - 1);
    if (!inside) node.classList.remove("dropping");
  });
  node.addEventListener("dragover", (event) => carries(event) && event.preventDefault());
  node.addEventListener("drop", (event) => {
    inside = 0;
    node.classList.remove("dropping");
    if (!carries(event)) return;
    event.preventDefault();
    event.stopPropagation();
    const files = picturesOf(event.dataTransfer);
    if (files.length) ondrop(files);
    else toast("These files are no pictures.", { bad: true });
  });
}

/**
 * The form by which somebody is enrolled, or gets more photos.
 *
 * @param {{person?: object, files?: File[], done: (person: object) => void, besides?: Element}} options
 *   `person`: who gets them; `besides`: another button, beside that which sends.
 */
export function enrollForm({ person = null, files = [], done, besides = null }) {
  let chosen = [];
  const field = person ? null : nameField({ label: "Name" });
  const pictures = h("ul", { class: "chosen" });
  const input = h("input", { type: "file", accept: "image/*,.heic,.heif,.avif", multiple: true, class: "visually-hidden", "aria-label": "Choose photos" });
  const drop = h(
    "label",
    { class: "drop" },
    icon("upload"),
    h("span", {}, h("strong", {}, "Drop photos here"), " or choose some"),
    h("span", { class: "faint" }, "Two or three of the face alone, in different light, are better than one."),
    input,
  );
  const outcomes = h("div", { role: "status" });
  const save = h("button", { class: "button button-primary", disabled: true }, person ? "Add" : "Enroll");
  const camera = h("div", { hidden: true });
  let guide = null;

  const show = () => {
    for (const image of pictures.querySelectorAll("img")) URL.revokeObjectURL(image.src);
    fill(
      pictures,
      chosen.map((file) =>
        h(
          "li",
          {},
          h("img", { src: URL.createObjectURL(file), alt: file.name }),
          h(
            "button",
            {
              type: "button",
              class: "button-icon",
              "aria-label": `Leave out ${file.name}`,
              onclick: () => {
                chosen = chosen.filter((each) => each !== file);
                show();
              },
            },
            icon("close"),
          ),
        ),
      ),
    );
    save.disabled = chosen.length === 0;
  };
  const take = (more) => {
    chosen = [...chosen, ...more];
    show();
  };
  const stopCamera = () => {
    guide?.stop();
    guide = null;
    camera.hidden = true;
  };
  const startCamera = () => {
    if (guide) {
      stopCamera();
      return;
    }
    camera.hidden = false;
    guide = cameraGuide((taken) => {
      stopCamera();
      take(taken);
      save.focus();
    });
    fill(camera, guide.node);
  };

  async function send(sent, force) {
    const form = new FormData();
    const who = person ? { person: person.id, name: person.name } : field.who();
    if (!who) {
      field.input.focus();
      fill(outcomes, h("p", { class: "wrong" }, "Whose photos are these? Give a name."));
      return;
    }
    for (const file of sent) form.append("photos", file, file.name);
    if (force) form.append("force", "true");
    if (!who.person) form.append("name", who.name);
    let answer;
    try {
      answer = await api.upload(who.person ? path`/people/${who.person}/photos` : "/people", form);
    } catch (error) {
      if (!NOTHING.has(error.code)) throw error;
      refused(error, sent);
      return;
    }
    await state.loadPeople();
    tell(answer, sent);
  }

  /** No photo was stored: each with its reason, and another try where that is for the person to judge. */
  function refused(problem, sent) {
    chosen = [];
    show();
    fill(
      outcomes,
      h("h3", {}, NOTHING.get(problem.code)),
      h("ul", { class: "outcomes" }, problem.errors.map((each) => h("li", { dataset: { verdict: "rejected" } }, each.detail))),
      problem.code === "looks_like_another" &&
        h("div", { class: "actions" }, button("Add them anyway", busy(() => send(sent, true)), { kind: "danger" })),
    );
  }

  function tell(answer, sent) {
    const added = answer.outcomes.filter((each) => each.verdict === "accepted").length;
    const held = sent.filter((_, i) => answer.outcomes[i]?.verdict === "held back");
    if (added) toast(`${answer.person.name}: ${count(added, "photo")} added`, { undo: undoing(answer.change) });
    if (added === answer.outcomes.length) {
      done(answer.person);
      return;
    }
    chosen = [];
    show();
    fill(
      outcomes,
      h("h3", {}, added ? `${added} of ${answer.outcomes.length} added` : "No photo was added"),
      h(
        "ul",
        { class: "outcomes" },
        answer.outcomes.map((each) =>
          h("li", { dataset: { verdict: each.verdict } }, h("strong", {}, each.file), h("span", { class: "tag" }, WORDS[each.verdict] ?? each.verdict), each.reason && h("span", { class: "faint" }, each.reason)),
        ),
      ),
      h(
        "div",
        { class: "actions" },
        held.length > 0 && button("Add what was held back anyway", busy(() => send(held, true)), { kind: "danger" }),
        added > 0 && button("Done", () => done(answer.person), { kind: "primary" }),
      ),
    );
  }

  input.addEventListener("change", () => {
    take(picturesOf(input));
    input.value = "";
  });
  const node = h(
    "form",
    {
      class: "enroll",
      onsubmit: busy(async (event) => {
        event.preventDefault();
        save.setAttribute("aria-busy", "true");
        try {
          await send(chosen, false);
        } finally {
          save.removeAttribute("aria-busy");
        }
      }),
    },
    field && h("div", { class: "field" }, h("span", { class: "field-label", "aria-hidden": "true" }, "Name"), field.node),
    drop,
    navigator.mediaDevices && button("Use this device's camera", startCamera, { kind: "quiet", symbol: "camera" }),
    camera,
    pictures,
    outcomes,
    h("div", { class: "actions" }, save, besides),
  );
  droppable(node, take);
  node.addEventListener("paste", (event) => {
    const pasted = picturesOf(event.clipboardData);
    if (pasted.length) take(pasted);
  });
  take(files);
  return { node, field, stop: stopCamera };
}

/** The same in a dialog. */
export function openEnroll({ person = null, files = [] } = {}) {
  const form = enrollForm({
    person,
    files,
    done: (enrolled) => {
      dialog.close();
      go(to("people", enrolled.id));
    },
  });
  const dialog = openDialog({ title: person ? `Photos of ${person.name}` : "Somebody new", onclose: form.stop }, form.node);
  form.field?.input.focus();
}

/**
 * What takes a change of the gallery back. The service refuses where something else was changed since.
 *
 * @param {number|null} change as the answer of the call that made it said
 */
export function undoing(change) {
  return async () => {
    await api.post("/undo", change ? { change } : {});
    await state.loadPeople();
    toast("Taken back");
  };
}
