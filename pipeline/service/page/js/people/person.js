/** Somebody who is enrolled: photos with quality and reasons, warnings, last seen, and what can be changed. */

import { api, path } from "../api.js";
import { css, fill, h } from "../dom.js";
import { icon } from "../icons.js";
import { button, empty, face, ghosts, trouble } from "../parts/blocks.js";
import { confirm } from "../parts/dialog.js";
import { menu } from "../parts/menu.js";
import { openRename } from "../parts/rename.js";
import { busy, failed, toast } from "../parts/toast.js";
import { go, to } from "../router.js";
import { state } from "../state.js";
import { count, day, sentence, when } from "../words.js";
import { droppable, openEnroll, undoing } from "./enroll.js";
import { openMerge } from "./merge.js";

export function mountPerson(root, id) {
  const title = h("h1", { tabindex: -1 }, state.person(id)?.name ?? "…");
  const actions = h("div", { class: "view-actions" });
  const body = h("div", {}, ghosts("people-ghosts", 4));
  const page = h(
    "div",
    { class: "drop-page" },
    h("header", { class: "view-head" }, h("a", { class: "button-icon", href: to("people"), "aria-label": "Everybody" }, icon("back")), title, actions),
    body,
    h("p", { class: "drop-here", "aria-hidden": "true" }, icon("upload"), "Drop the photos to add them"),
  );
  fill(root, page);
  let person = null;
  let asked = 0;

  async function load() {
    const mine = ++asked;
    try {
      const found = await api.get(path`/people/${id}`);
      if (mine !== asked) return;
      person = found;
      draw();
    } catch (error) {
      if (error.status === undefined) throw error;
      if (error.status === 404) fill(body, empty("people", "Nobody is enrolled here", "They were removed, or merged with somebody else.", h("a", { class: "button", href: to("people") }, "Everybody")));
      else fill(body, trouble(error, load));
    }
  }

  /** After a change, and after it was said: the new version, here and in the list. */
  const changed = () => Promise.all([load(), state.loadPeople()]).catch(failed);

  function draw() {
    document.title = `${person.name} · recog`;
    title.textContent = person.name;
    const photos = person.photos;
    const aside = photos.filter((each) => each.aside);
    const had = page.contains(document.activeElement);
    fill(
      actions,
      state.mayChange && [
        button("Add photos", () => openEnroll({ person }), { kind: "primary", symbol: "plus" }),
        menu(`What can be done with ${person.name}`, [
          { words: "Rename", icon: "rename", act: () => rename(person, changed) },
          { words: "Merge with somebody", icon: "merge", act: () => openMerge(person) },
          { words: "Remove for good", icon: "remove", danger: true, act: busy(() => remove(person)) },
        ]),
      ],
    );
    fill(
      body,
      h(
        "p",
        { class: "person-line" },
        lastSeen(person),
        " · ",
        `enrolled ${when(person.added)} · `,
        h("a", { href: to("events", null, { person: person.id }) }, "All events"),
      ),
      person.warnings.map((words) => h("p", { class: "warning" }, icon("warning"), h("span", {}, sentence(words)))),
      h("h2", { class: "part-title" }, count(photos.length - aside.length, "photo")),
      photos.length === aside.length && h("p", { class: "warning" }, icon("warning"), h("span", {}, "Without a photo nobody can be recognised as this person.")),
      h("ul", { class: "photos" }, photos.filter((each) => !each.aside).map((photo) => photoPart(person, photo, changed))),
      aside.length > 0 && [
        h("h2", { class: "part-title" }, "Set aside"),
        h("p", { class: "faint" }, "Kept, but nobody is recognised by them."),
        h("ul", { class: "photos" }, aside.map((photo) => photoPart(person, photo, changed))),
      ],
    );
    if (had && !page.contains(document.activeElement)) title.focus({ preventScroll: true }); // what had it is gone
  }

  if (state.mayChange) droppable(page, (files) => person && openEnroll({ person, files }));
  const end = state.on("people", load);
  load();
  return end;
}

function lastSeen(person) {
  if (!person.last_seen) return "Not seen yet";
  const { at, source, event } = person.last_seen;
  const name = state.source(source)?.name;
  const words = `Last seen ${when(at)}${name ? `, ${name}` : ""}`;
  return event ? h("a", { href: to("events", event) }, words) : words;
}

function photoPart(person, photo, changed) {
  const quality = h("span", { class: "photo-quality", role: "img", "aria-label": `Quality ${Math.round(100 * photo.quality)} of 100` }, h("span", { class: "photo-bar" }));
  css(quality.firstElementChild, { "--share": String(photo.quality) });
  const where = path`/people/${person.id}/photos/${photo.id}`;
  const setAside = busy(async () => {
    const answer = await api.patch(where, { aside: !photo.aside }, { version: photo.version });
    toast(photo.aside ? "The photo counts again" : "The photo is set aside", { undo: undoing(answer.change) });
    await changed();
  });
  const discard = busy(async () => {
    const sure = await confirm({ title: "Remove this photo?", words: "It is deleted for good. To keep it without using it, set it aside.", action: "Remove" });
    if (!sure) return;
    await api.delete(where, { version: photo.version });
    toast("The photo is removed");
    await changed();
  });
  return h(
    "li",
    { class: "photo", dataset: { aside: String(photo.aside) } },
    face(photo.image, "face-photo"),
    quality,
    h("p", { class: "photo-facts", title: photo.origin }, `${photo.origin.split(/[\\/]/).at(-1)} · ${day(photo.added)}`),
    photo.reasons.map((reason) => h("p", { class: "photo-reason" }, sentence(reason))),
    state.mayChange &&
      h(
        "div",
        { class: "photo-actions" },
        button(photo.aside ? "Bring back" : "Set aside", setAside, { kind: "quiet" }),
        h("button", { type: "button", class: "button-icon", "aria-label": "Remove this photo", onclick: discard }, icon("remove")),
      ),
  );
}

function rename(person, changed) {
  openRename(person.name, async (name) => {
    const answer = await api.patch(path`/people/${person.id}`, { name }, { version: person.version });
    toast(`${person.name} is ${answer.name} now`, { undo: undoing(answer.change) });
    changed(); // the dialog goes meanwhile
  });
}

async function remove(person) {
  const sure = await confirm({
    title: `Remove ${person.name} for good?`,
    words: "All photos, and what was kept of their visits, are deleted. This cannot be taken back.",
    action: "Remove for good",
  });
  if (!sure) return;
  await api.delete(path`/people/${person.id}`, { version: person.version });
  toast(`${person.name} is removed`);
  go(to("people"), { replace: true });
  await state.loadPeople();
}
