/** "This is not alice", "this is bob": what it changed is shown, and one tap takes all of it back. */

import { api, path } from "../api.js";
import { fill, h } from "../dom.js";
import { icon } from "../icons.js";
import { button, face } from "../parts/blocks.js";
import { nameField } from "../parts/names.js";
import { busy, toast } from "../parts/toast.js";
import { state } from "../state.js";
import { count } from "../words.js";

const SHOWN = 8; // changed events that are listed one by one

/**
 * @param {object} event
 * @param {{answered: (yes: boolean) => void}} options told when a correction stands, and when it was taken back.
 */
export function corrector(event, { answered }) {
  const place = h("div", { class: "corrector" });

  const correct = async (verb, body, words) => {
    answered(true); // before the call: the event's own change may be told before the answer comes
    let answer;
    try {
      answer = await api.post(path`/events/${event.id}/` + verb, body);
    } catch (error) {
      answered(false);
      throw error;
    }
    fill(place, outcome(event, answer, words, takeBack));
    place.querySelector("button")?.focus();
    if (verb === "is") state.loadPeople().catch(() => {}); // told by the service as well
  };
  const takeBack = async (correction) => {
    await api.delete(path`/corrections/${correction}`);
    answered(false);
    toast("Taken back: all of it is as it was");
    offer();
  };
  const offer = () => {
    const named = event.state === "named" && event.person;
    const field = nameField({ label: named ? "Who is it?" : "Name", except: named ? event.person : null });
    const form = h(
      "form",
      {
        class: "inline-form",
        onsubmit: busy(async (submit) => {
          submit.preventDefault();
          const who = field.who();
          if (!who) return;
          await correct("is", who.person ? { person: who.person } : { name: who.name }, `This is ${who.name}.`);
        }),
      },
      field.node,
      h("button", { class: named ? "button" : "button button-primary" }, "Save"),
    );
    fill(
      place,
      named && [
        button(`This is not ${event.name}`, busy(() => correct("not", { person: event.person }, `This is not ${event.name}.`)), { symbol: "nobody", class: "button button-wide" }),
        h("p", { class: "faint" }, "The look counts against the name from now on, and what was seen before is decided again."),
        h("details", { class: "more" }, h("summary", {}, "It is somebody else"), form),
      ],
      !named && [h("p", {}, "Who is this? The best looks are enrolled under the name."), form],
    );
  };
  offer();
  return place;
}

function outcome(event, answer, words, takeBack) {
  const others = answer.changed.filter((each) => !each.said);
  const own = answer.changed.find((each) => each.event === event.id);
  return h(
    "div",
    { class: "outcome", role: "status" },
    h("p", { class: "outcome-head" }, icon("check"), words),
    own && h("p", {}, `This event: ${verdictWords(own.was)} → ${verdictWords(own.becomes)}.`),
    others.length > 0
      ? [
          h("p", {}, `It also changed ${count(others.length, "other event")}:`),
          h(
            "ul",
            { class: "changes" },
            others.slice(0, SHOWN).map((each) =>
              h("li", {}, face(`/api/v1${path`/events/${each.event}/thumbnail.jpg`}`, "face-small"), `${verdictWords(each.was)} → ${verdictWords(each.becomes)}`),
            ),
            others.length > SHOWN && h("li", { class: "faint" }, `and ${others.length - SHOWN} more`),
          ),
        ]
      : h("p", {}, "Nothing else changed."),
    h("div", { class: "actions" }, button("Undo", busy(() => takeBack(answer.correction)), { symbol: "undo" })),
  );
}

/** A verdict as the service tells what was and what becomes: a word, or a state with a name. */
export function verdictWords(told) {
  if (told === null || told === undefined) return "not sure yet";
  if (typeof told === "object") {
    if (told.state === "named") return told.name ?? "somebody who was removed since";
    return verdictWords(told.state);
  }
  return { undecided: "not sure yet", unknown: "unknown" }[told] ?? told;
}
