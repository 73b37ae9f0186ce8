/** Events: who was seen when, newest first, with filters; each is one tap from its reasons. */

import { api } from "../api.js";
import { fill, h, keyed, say } from "../dom.js";
import { openEvent } from "../events/card.js";
import { openSearch } from "../events/search.js";
import { button, empty, field, ghosts, head, shotOf, showFace, trouble, verdict } from "../parts/blocks.js";
import { go, here, to } from "../router.js";
import { listen } from "../socket.js";
import { state } from "../state.js";
import { count, day, exact, span } from "../words.js";

const PAGE = 40;
const STATES = [
  ["", "All"],
  ["named", "Named"],
  ["unknown", "Unknown"],
  ["undecided", "Not sure"],
];

export function mount(root, { id, query }) {
  const filters = { person: query.person, source: query.source, state: query.state, from: query.from, to: query.to };
  const list = h("div", { class: "timeline" });
  const waitingFor = ghosts("event-ghosts", 6); // above the list, so that nothing is pushed down when it comes
  const foot = h("div", { class: "timeline-foot" });
  const fresh = h("button", { type: "button", class: "fresh", hidden: true, onclick: () => load() });
  const status = h("p", { class: "visually-hidden", role: "status" });
  const bar = filterBar(filters, () => load());
  fill(root, head("Events", button("Search by a picture", openSearch, { symbol: "search" })), bar.node, fresh, list, foot, status);

  let events = [];
  let cursor = null;
  let waiting = 0; // new events that are not shown yet, because somebody reads further down
  let asked = 0;

  async function load(more = false) {
    const mine = ++asked;
    if (!more) {
      waiting = 0;
      fresh.hidden = true;
      if (!events.length) list.before(waitingFor);
    }
    try {
      const page = await api.get("/events", { ...called(filters), limit: PAGE, cursor: more ? cursor : null });
      if (mine !== asked) return;
      waitingFor.remove();
      events = more ? [...events, ...page.items] : page.items;
      cursor = page.next;
      draw();
      say(status, count(events.length, "event"));
    } catch (error) {
      if (error.status === undefined) throw error;
      waitingFor.remove();
      fill(foot, trouble(error, () => load(more)));
    }
  }

  function draw() {
    const days = [];
    for (const event of events) {
      const name = day(event.at);
      if (days.at(-1)?.name !== name) days.push({ name, events: [] });
      days.at(-1).events.push(event);
    }
    keyed(list, days, (each) => each.name, dayPart);
    if (cursor) fill(foot, button("Older events", () => load(true)));
    else if (events.length) fill(foot, h("p", { class: "faint" }, "That is all."));
    else fill(foot, nothing(filters));
  }

  function heard({ event }) {
    const at = events.findIndex((each) => each.id === event.id);
    if (at >= 0) {
      if (!fits(event, filters)) events.splice(at, 1);
      else events[at] = event;
      draw();
    } else if (fits(event, filters)) {
      if (window.scrollY < 80) {
        events = [event, ...events].sort((a, b) => (a.at < b.at ? 1 : -1));
        draw();
      } else {
        waiting += 1;
        fresh.hidden = false;
        say(fresh, waiting === 1 ? "1 new event" : `${waiting} new events`);
      }
    }
  }

  fresh.addEventListener("click", () => window.scrollTo({ top: 0 }));
  const renamed = () => {
    bar.show();
    if (events.length) draw();
  };
  const ends = [listen("event", heard), listen("up", () => load()), state.on("people", renamed), state.on("sources", renamed)];
  load();
  if (id) openEvent(id, () => here().id === id && go(to("events", null, query), { replace: true }));
  return () => ends.forEach((end) => end());
}

/** Filters change the list in place, and the address with them, so that it can be kept and sent. */
function filterBar(filters, changed) {
  const change = (name, value) => {
    filters[name] = value || undefined;
    history.replaceState(null, "", to("events", null, filters));
    show();
    changed();
  };
  const segments = STATES.map(([value, words]) => h("button", { type: "button", onclick: () => change("state", value), dataset: { value } }, words));
  const person = h("select", { class: "input", "aria-label": "Person", onchange: () => change("person", person.value) });
  const source = h("select", { class: "input", "aria-label": "Camera", onchange: () => change("source", source.value) });
  const from = h("input", { type: "datetime-local", class: "input", value: filters.from ?? "", onchange: () => change("from", from.value) });
  const until = h("input", { type: "datetime-local", class: "input", value: filters.to ?? "", onchange: () => change("to", until.value) });
  const clear = h(
    "button",
    {
      type: "button",
      class: "link",
      onclick: () => {
        for (const name of Object.keys(filters)) filters[name] = undefined;
        from.value = until.value = "";
        change("state", "");
      },
    },
    "Clear",
  );
  function show() {
    for (const each of segments) each.setAttribute("aria-pressed", String(each.dataset.value === (filters.state ?? "")));
    options(person, "Everybody", state.people, filters.person);
    options(source, "All cameras", state.sources, filters.source);
    clear.hidden = !Object.values(filters).some(Boolean);
  }
  show();
  const node = h(
    "div",
    { class: "filters", role: "search", "aria-label": "Filter events" },
    h("div", { class: "segments", role: "group", "aria-label": "Verdict" }, segments),
    person,
    source,
    h("details", { class: "dates", open: Boolean(filters.from || filters.to) }, h("summary", { class: "button" }, "Dates"), h("div", { class: "dates-fields" }, field("From", from), field("To", until))),
    clear,
  );
  return { node, show };
}

function options(select, all, items, chosen) {
  fill(select, h("option", { value: "" }, all), (items ?? []).map((each) => h("option", { value: each.id }, each.name)));
  select.value = chosen ?? "";
}

/** The filters as the service reads them: a time here is one of this place. */
function called({ person, source, state: verdictWanted, from, to: until }) {
  const utc = (local) => {
    const at = new Date(local ?? NaN);
    return Number.isNaN(at.getTime()) ? undefined : at.toISOString(); // the year 20000 can be typed, and is none
  };
  return { person, source, state: verdictWanted, after: utc(from), before: utc(until) };
}

function fits(event, filters) {
  const { person, source, state: wanted, after, before } = called(filters);
  return (
    (!person || event.person === person) &&
    (!source || event.source === source) &&
    (!wanted || event.state === wanted) &&
    (!after || event.at >= after) &&
    (!before || event.at < before)
  );
}

function dayPart(first) {
  const rows = h("ul", { class: "day-events" });
  const node = h("section", { class: "day" }, h("h2", { class: "day-name" }, first.name), rows);
  return { node, update: (now) => keyed(rows, now.events, (each) => each.id, eventPart) };
}

function eventPart(first) {
  const seen = h("span", { class: "event-who" });
  const facts = h("span", { class: "event-facts" });
  const tags = h("span", { class: "event-tags" });
  const image = h("span", { class: "event-face" });
  const row = h(
    "button",
    { type: "button", class: "event", onclick: () => openEvent(first.id) },
    h("time", { class: "event-time", datetime: first.at }, exact(first.at)),
    image,
    h("span", { class: "event-words" }, seen, facts),
    tags,
  );
  return {
    node: h("li", {}, row),
    update(event) {
      row.dataset.state = event.state;
      fill(seen, verdict(event));
      const length = (new Date(event.until) - new Date(event.at)) / 1000;
      say(facts, `${state.source(event.source)?.name ?? "A source that was removed"} · ${event.present ? "still here" : span(length)}`);
      fill(tags, event.corrected && h("span", { class: "tag" }, "Put right"), event.ignored && h("span", { class: "tag" }, "Ignored"));
      showFace(image, shotOf(event), "face-event");
    },
  };
}

function nothing(filters) {
  if (Object.values(filters).some(Boolean)) {
    return empty("search", "Nothing fits", "No event fits these filters.", h("a", { class: "button", href: to("events") }, "Show all"));
  }
  return empty("events", "Nothing was seen yet", "Each visit of a face before a camera will be one line here: who it was, when, and why.", h("a", { class: "button button-primary", href: to("live") }, "To the cameras"));
}
