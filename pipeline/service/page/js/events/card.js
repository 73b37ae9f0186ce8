/** One event, close up: who was seen, why, who else it might be, and putting it right. */

import { api, path, picture } from "../api.js";
import { css, fill, h, say } from "../dom.js";
import { face, shotOf, showFace, trouble, verdict } from "../parts/blocks.js";
import { openDialog } from "../parts/dialog.js";
import { to } from "../router.js";
import { listen } from "../socket.js";
import { state } from "../state.js";
import { count, day, exact, percent, sentence, span, who } from "../words.js";
import { corrector } from "./correct.js";

/** Show the event with this id beside the view. `onclose` is called when it is put away. */
export async function openEvent(id, onclose) {
  const place = h("div", { class: "card" }, h("div", { class: "ghost card-ghost" }));
  const dialog = openDialog({ title: "Who was seen", className: "drawer", onclose: () => ended() }, place);
  const deaf = listen("event", ({ event }) => event.id === id && card?.update(event));
  let card = null;
  const ended = () => {
    deaf();
    onclose?.();
  };
  const load = async () => {
    try {
      card = eventCard(await api.get(path`/events/${id}`), dialog.close);
      fill(place, card.node);
    } catch (error) {
      if (error.status === undefined) throw error;
      fill(place, trouble(error, load));
    }
  };
  await load();
}

function eventCard(first, close) {
  let event = first;
  const image = h("div", { class: "card-face" });
  const name = h("p", { class: "card-name" });
  const facts = h("p", { class: "card-facts" });
  const tags = h("p", { class: "card-tags" });
  const reasons = h("div", { class: "card-why", "aria-busy": "true" }, h("div", { class: "ghost ghost-line" }), h("div", { class: "ghost ghost-line" }));
  const right = h("div", { class: "card-right" });
  let told = "";
  let asked = 0; // of two explanations that are asked for at a time, only the later is shown

  function update(now) {
    event = now;
    fill(name, verdict(event));
    showFace(image, shotOf(event), "face-large");
    const source = state.source(event.source)?.name ?? "a source that was removed";
    const length = (new Date(event.until) - new Date(event.at)) / 1000;
    say(facts, `${source} · ${day(event.at)} ${exact(event.at)} · ${event.present ? "still here" : `for ${span(length)}`} · ${count(event.looks, "look")}`);
    fill(tags, event.corrected && h("span", { class: "tag" }, "You put this right"), event.ignored && h("span", { class: "tag" }, "Ignored"));
    const key = `${event.state} ${event.name} ${event.corrected}`;
    if (told === key) return;
    told = key;
    if (state.mayChange && !right.dataset.answered) fill(right, corrector(event, { answered, close }));
    explain();
  }

  /** What a correction changed stands where it was made, until it is taken back. */
  function answered(yes) {
    if (yes) right.dataset.answered = "yes";
    else delete right.dataset.answered;
    told = "";
  }

  async function explain() {
    const mine = ++asked;
    try {
      const why = await api.get(path`/events/${event.id}/explain`);
      if (mine === asked) fill(reasons, explained(event, why));
    } catch (error) {
      if (error.status === undefined) throw error;
      if (mine !== asked) return;
      // The looks of an old event are deleted by then; what it was decided by is still known.
      fill(reasons, h("p", {}, sentence(event.why)), h("p", { class: "faint" }, sentence(error.message)));
    }
    reasons.removeAttribute("aria-busy");
  }

  update(first);
  const node = h(
    "div",
    {},
    h("div", { class: "card-head" }, image, h("div", {}, name, facts, tags)),
    h("section", { class: "card-part" }, h("h3", {}, "Why"), reasons),
    state.mayChange && h("section", { class: "card-part" }, h("h3", {}, "Put it right"), right),
  );
  return { node, update };
}

function explained(event, why) {
  const most = Math.max(1, ...why.candidates.map((each) => Math.abs(each.evidence)));
  return [
    h("p", { class: "card-sentence" }, sentence(why.sentence)),
    why.candidates.length > 0 &&
      h(
        "ul",
        { class: "candidates", "aria-label": "Who comes near" },
        why.candidates.map((each) => {
          const bar = h("span", { class: each.evidence < 0 ? "candidate-bar candidate-against" : "candidate-bar" });
          css(bar, { "--share": String(Math.abs(each.evidence) / most) });
          return h(
            "li",
            { class: "candidate" },
            face(state.person(each.person)?.portrait, "face-small"),
            h("span", { class: "candidate-name" }, each.person ? h("a", { href: to("people", each.person) }, each.name) : each.name),
            h("span", { class: "candidate-evidence" }, bar),
            h("span", { class: "candidate-number" }, signed(each.evidence), h("span", { class: "visually-hidden" }, each.evidence < 0 ? " against" : " for")),
          );
        }),
      ),
    why.candidates.length > 0 &&
      h("p", { class: "faint" }, "Evidence that it is this person (to the right) or a stranger (to the left), in natural logarithms. ", why.needed && `A name needs ${percent(why.needed)}.`),
    why.steps.length > 0 && h("details", { class: "more" }, h("summary", {}, "Step by step"), h("ul", { class: "steps" }, why.steps.map((each) => h("li", {}, each)))),
    pictureCard(event),
  ];
}

const signed = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(1)}`;

/** The explain card of the command line, loaded when it is opened. */
function pictureCard(event) {
  const node = h("details", { class: "more" }, h("summary", {}, "Look by look, as a picture"));
  node.addEventListener("toggle", () => {
    if (!node.open || node.querySelector("img")) return;
    const image = h("img", { class: "card-picture", src: picture(`/api/v1${path`/events/${event.id}/card.png`}`), alt: `What each look at ${who(event)} says for or against the nearest person` });
    image.addEventListener("error", () => image.replaceWith(h("p", { class: "faint" }, "The looks of this event are not kept any more.")));
    node.append(h("a", { href: image.src, target: "_blank", rel: "noopener" }, image));
  });
  return node;
}
