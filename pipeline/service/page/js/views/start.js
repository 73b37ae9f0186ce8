/** The first start: a person, a camera, and what may be kept. Each step can be left out. */

import { api } from "../api.js";
import { fill, h } from "../dom.js";
import { icon } from "../icons.js";
import { sourceForm } from "../live/add.js";
import { button } from "../parts/blocks.js";
import { busy } from "../parts/toast.js";
import { enrollForm } from "../people/enroll.js";
import { go, to } from "../router.js";
import { state } from "../state.js";
import { list } from "../words.js";

const STEPS = ["Somebody to recognise", "Something to watch", "What is kept"];

export function mount(root) {
  const place = h("div", { class: "start-step" });
  const marks = h("ol", { class: "start-marks" });
  const title = h("h1", { tabindex: -1 });
  fill(root, h("div", { class: "start" }, marks, title, place));
  let step = 0;
  let form = null;

  function show(next) {
    form?.stop();
    form = null;
    step = next;
    fill(
      marks,
      STEPS.map((words, i) =>
        h("li", { dataset: { done: String(i < step) }, "aria-current": i === step ? "step" : null }, h("span", { class: "start-mark" }, i < step ? icon("check") : String(i + 1)), words),
      ),
    );
    title.textContent = STEPS[step];
    fill(place, [person, camera, keep][step]());
    if (step > 0) title.focus();
  }

  function person() {
    const enrolled = state.people ?? [];
    form = enrollForm({ done: () => show(1), besides: button(enrolled.length ? "Go on" : "Later", () => show(1), { kind: "quiet" }) });
    return [
      h("p", { class: "lead" }, "Who is to be recognised? A name and a photo are enough to begin with. Whoever is not enrolled is never given a name."),
      enrolled.length > 0 && h("p", { class: "done-already" }, icon("check"), `Enrolled already: ${list(enrolled.slice(0, 4).map((each) => each.name))}.`),
      form.node,
    ];
  }

  function camera() {
    const sources = state.sources ?? [];
    return [
      h("p", { class: "lead" }, "Which camera? Pictures are looked at on this machine and go nowhere else."),
      sources.length > 0 && h("p", { class: "done-already" }, icon("check"), `Watched already: ${list(sources.slice(0, 4).map((each) => each.name))}.`),
      sourceForm(() => show(2)),
      h("div", { class: "actions start-skip" }, button(sources.length ? "Go on" : "Later", () => show(2), { kind: "quiet" })),
    ];
  }

  function keep() {
    const end = (days) =>
      busy(async () => {
        await api.patch("/settings", { review_days: days });
        go(to("live"), { replace: true });
      });
    return [
      h("p", { class: "lead" }, "May faces of strangers be kept for a while? Those of one person are shown together, so that one tap names them. They stay on this machine and are deleted for good afterwards."),
      h(
        "div",
        { class: "choices" },
        h("button", { type: "button", class: "choice", onclick: end(7) }, icon("review"), h("span", {}, "Keep them for 7 days"), h("span", { class: "faint" }, "Needed for the review and for “this is not …”")),
        h("button", { type: "button", class: "choice", onclick: end(0) }, icon("aside"), h("span", {}, "Keep none"), h("span", { class: "faint" }, "It can be changed in the settings at any time")),
      ),
    ];
  }

  show(0);
  return () => form?.stop();
}
