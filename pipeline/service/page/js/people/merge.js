/** Merging somebody into somebody else, after seeing what would change. */

import { api, path } from "../api.js";
import { fill, h } from "../dom.js";
import { verdictWords } from "../events/correct.js";
import { button } from "../parts/blocks.js";
import { openDialog } from "../parts/dialog.js";
import { nameField } from "../parts/names.js";
import { busy, failed, toast } from "../parts/toast.js";
import { go, to } from "../router.js";
import { state } from "../state.js";
import { count } from "../words.js";
import { undoing } from "./enroll.js";

const SHOWN = 8; // events that are listed one by one

/** Ask into whom `person` is merged, show what that does, and do it. */
export function openMerge(person) {
  const preview = h("div", { class: "merge-preview", role: "status" });
  const field = nameField({ label: "Merge with", onlyEnrolled: true, except: person.id, onpick: (who) => show(who) });
  const dialog = openDialog(
    { title: `${person.name} is the same person as …`, className: "dialog-small" },
    h("p", { class: "faint merge-words" }, `The photos of ${person.name} go to the other, and that name stays.`),
    field.node,
    preview,
  );
  field.input.focus();

  async function show(who) {
    fill(preview, h("div", { class: "ghost ghost-line" }));
    try {
      const into = state.person(who.person);
      const found = await api.get(path`/people/${person.id}/merge`, { into: into.id });
      fill(
        preview,
        h("p", {}, `${count(found.moved, "photo")} will be ${into.name}'s${found.duplicates ? `, ${count(found.duplicates, "duplicate")} left out` : ""}.`),
        found.would_change.length === 0
          ? h("p", {}, "Apart from the name, all that was seen would be decided as it was.")
          : [
              h("p", {}, `By the photos of both, ${count(found.would_change.length, "event")} would be decided otherwise:`),
              h(
                "ul",
                { class: "changes" },
                found.would_change.slice(0, SHOWN).map((each) => h("li", {}, `${verdictWords(each.was)} → ${verdictWords(each.becomes)}`)),
                found.would_change.length > SHOWN && h("li", { class: "faint" }, `and ${found.would_change.length - SHOWN} more`),
              ),
            ],
        h("div", { class: "actions" }, button(`Merge into ${into.name}`, busy(() => merge(into)), { kind: "primary" })),
      );
    } catch (error) {
      fill(preview);
      failed(error);
    }
  }

  async function merge(into) {
    const wanted = { into: into.id, into_version: into.version };
    let answer;
    try {
      answer = await api.post(path`/people/${person.id}/merge`, wanted, { version: person.version });
    } catch (error) {
      if (error.code === "changed") dialog.close(); // what it would do is another thing now
      throw error;
    }
    dialog.close();
    go(to("people", into.id), { replace: true });
    toast(`${person.name} and ${into.name} are one now`, { undo: undoing(answer.change) });
    await state.loadPeople();
  }
}
