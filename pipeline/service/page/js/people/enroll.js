/** Photos of somebody: chosen, dropped or taken by the browser's camera; and what became of each. */

import { api, path } from "../api.js";
import { fill, h } from "../dom.js";
import { icon } from "../icons.js";
import { button } from "../parts/blocks.js";
import { openDialog } from "../parts/dialog.js";
import { nameField } from "../parts/names.js";
import { busy, failed, toast } from "../parts/toast.js";
import { go, to } from "../router.js";
import { state } from "../state.js";
import { count } from "../words.js";
import { cameraGuide } from "./camera.js";

// Codes of the service for: none of the photos was stored.
const NOTHING = { no_usable_photo: "rejected", already_enrolled: "duplicate", looks_like_another: "held back" };
const MOST = 20 << 20; // bytes of a photo that the service takes
const AT_ONCE = 40 << 20; // bytes of photos in one call, of which the service takes 64 MB
const PHOTOS = 50; // in one call, which may carry 100
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

  /** A few at a time, for what one call may carry is limited. */
  async function send(files, force) {
    const who = person ? { person: person.id, name: person.name } : field.who();
    if (!who) {
      field.input.focus();
      fill(outcomes, h("p", { class: "wrong" }, "Whose photos are these? Give a name."));
      return;
    }
    const told = []; // what became of each photo
    const changes = [];
    let enrolled = null;
    let broken = null;
    for (const some of bunches(files)) {
      if (told.length) fill(outcomes, h("p", {}, `${told.length} of ${files.length}`));
      if (some[0].size > MOST) {
        told.push({ file: some[0], verdict: "rejected", reason: "larger than 20 MB; make it smaller" });
        continue;
      }
      const form = new FormData();
      for (const file of some) form.append("photos", file, file.name);
      if (force) form.append("force", "true");
      const id = enrolled?.id ?? who.person;
      if (!id) form.append("name", who.name);
      try {
        const answer = await api.upload(id ? path`/people/${id}/photos` : "/people", form);
        enrolled = answer.person;
        changes.push(answer.change);
        told.push(...some.map((file, i) => ({ ...answer.outcomes[i], file })));
      } catch (error) {
        if (!(error.code in NOTHING)) {
          broken = error;
          break;
        }
        told.push(...some.map((file, i) => ({ file, verdict: NOTHING[error.code], reason: withoutName(error.errors[i]?.detail ?? error.message, file) })));
      }
    }
    if (told.length) tell(told, enrolled, changes.filter(Boolean).reverse(), files.slice(told.length));
    if (enrolled) state.loadPeople().catch(failed);
    if (broken) throw broken;
  }

  /** @param {File[]} unsent stay chosen, for another try. */
  function tell(told, enrolled, changes, unsent) {
    const added = told.filter((each) => each.verdict === "accepted").length;
    const held = told.filter((each) => each.verdict === "held back").map((each) => each.file);
    if (added) toast(`${enrolled.name}: ${count(added, "photo")} added`, { undo: undoing(...changes) });
    if (added === told.length && !unsent.length) {
      done(enrolled);
      return;
    }
    chosen = unsent;
    show();
    fill(
      outcomes,
      h("h3", {}, added ? `${added} of ${told.length} added` : "No photo was added"),
      h(
        "ul",
        { class: "outcomes" },
        told.map((each) =>
          h("li", { dataset: { verdict: each.verdict } }, h("strong", {}, each.file.name), h("span", { class: "tag" }, WORDS[each.verdict] ?? each.verdict), each.reason && h("span", { class: "faint" }, each.reason)),
        ),
      ),
      h(
        "div",
        { class: "actions" },
        held.length > 0 && button("Add what was held back anyway", busy(() => send(held, true)), { kind: "danger" }),
        added > 0 && button("Done", () => done(enrolled), { kind: "primary" }),
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

/** Files in bunches that one call may carry; one that is too large stands alone. */
function bunches(files) {
  const all = [];
  let bytes = Infinity;
  for (const file of files) {
    bytes += file.size;
    if (bytes > AT_ONCE || file.size > MOST || all.at(-1).length === PHOTOS) {
      all.push([]);
      bytes = file.size > MOST ? Infinity : file.size;
    }
    all.at(-1).push(file);
  }
  return all;
}

/** The service says of which file it speaks; here that stands before it already. */
const withoutName = (detail, file) => (detail.startsWith(`${file.name}: `) ? detail.slice(file.name.length + 2) : detail);

/**
 * What takes changes of the gallery back. The service refuses where something else was changed since.
 *
 * @param {...(number|null)} changes as the answers of the calls that made them said, the newest first.
 */
export function undoing(...changes) {
  return async () => {
    for (const change of changes) await api.post("/undo", change ? { change } : {});
    toast("Taken back");
    await state.loadPeople();
  };
}
