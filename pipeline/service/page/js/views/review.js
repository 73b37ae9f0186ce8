/** Review: faces nobody has a name for yet, those of one person together; one tap names all of them. */

import { api, path } from "../api.js";
import { fill, h, keyed, say } from "../dom.js";
import { icon } from "../icons.js";
import { button, empty, face, ghosts, head, trouble } from "../parts/blocks.js";
import { nameField } from "../parts/names.js";
import { busy, toast } from "../parts/toast.js";
import { to } from "../router.js";
import { listen } from "../socket.js";
import { state } from "../state.js";
import { count, list, percent, sentence, when } from "../words.js";

const SETTLE = 5000; // milliseconds after an event before the clusters are asked for again
const FACES = 5; // of a cluster that are shown

export function mount(root) {
  const chosen = new Set();
  const words = h("p", { class: "review-words" });
  const grid = h("ul", { class: "clusters" });
  const place = h("div", {}, ghosts("cluster-ghosts", 4));
  const bar = selectionBar(chosen, decide);
  const decisions = decisionsPart(() => load());
  fill(root, head("Review"), words, place, bar.node, decisions.node);
  let clusters = [];
  let asked = 0;

  async function load() {
    const mine = ++asked;
    try {
      const found = await api.get("/review");
      if (mine !== asked) return;
      clusters = found.clusters;
      for (const id of chosen) if (!clusters.some((each) => each.id === id)) chosen.delete(id);
      fill(words, sentence(found.threshold), " ", kept(found.kept_days));
      draw(found);
    } catch (error) {
      if (error.status === undefined) throw error;
      fill(place, trouble(error, load));
    }
  }

  function draw({ kept_days: days } = {}) {
    keyed(grid, clusters, (each) => each.id, (each) => clusterCard(each, chosen, decide, () => bar.update(clusters)));
    if (clusters.length) {
      if (!grid.isConnected) fill(place, grid);
    } else fill(place, nothing(days));
    bar.update(clusters);
  }

  /** What was decided leaves the list at once; how it can be taken back stays on the screen. */
  async function decide(verb, ids, body = {}, told = "") {
    const answer = await api.post(`/review/${verb}`, { clusters: ids, ...body });
    clusters = clusters.filter((each) => !ids.includes(each.id));
    for (const id of ids) chosen.delete(id);
    draw();
    const where = answer.correction ? path`/corrections/${answer.correction}` : answer.id && path`/review/decisions/${answer.id}`;
    toast(told, { undo: where ? () => takeBack(where) : undefined }); // strangers are added, not decided on
    decisions.load();
    if (verb === "name") state.loadPeople().catch(() => {}); // told by the service as well
    load();
  }
  async function takeBack(where) {
    await api.delete(where);
    toast("Taken back");
    decisions.load();
    await load();
  }

  let timer = null;
  const ends = [
    listen("event", ({ event }) => {
      if (event.present || timer) return;
      timer = setTimeout(() => {
        timer = null;
        if (!root.querySelector(".names input:focus")) load(); // nothing moves while somebody types
      }, SETTLE);
    }),
    listen("up", load),
  ];
  load();
  return () => {
    clearTimeout(timer);
    ends.forEach((end) => end());
  };
}

function kept(days) {
  if (days === undefined || days === null) return null;
  return days === 0 ? "Nothing is kept for review." : `They are kept for ${count(days, "day")}, on this machine, and then deleted.`;
}

function clusterCard(first, chosen, decide, selected) {
  let cluster = first;
  const faces = h("div", { class: "cluster-faces" });
  const size = h("h2", { class: "cluster-size" });
  const facts = h("p", { class: "cluster-facts" });
  const alike = h("div", { class: "cluster-alike" });
  const box = h("input", {
    type: "checkbox",
    class: "cluster-box",
    onchange: () => {
      if (box.checked) chosen.add(cluster.id);
      else chosen.delete(cluster.id);
      selected();
    },
  });
  const field = nameField({ label: "Who is this?" });
  const form = h(
    "form",
    {
      class: "inline-form",
      onsubmit: busy(async (event) => {
        event.preventDefault();
        const who = field.who();
        if (who) await decide("name", [cluster.id], named(who), `${count(cluster.size, "sighting")} of ${who.name}`);
        else field.input.focus();
      }),
    },
    field.node,
    h("button", { class: "button button-primary" }, "Name"),
  );
  const node = h(
    "li",
    { class: "cluster" },
    h("label", { class: "cluster-pick" }, box, h("span", { class: "visually-hidden" }, "Choose"), faces),
    h("div", { class: "cluster-words" }, size, facts),
    state.mayChange && [
      alike,
      form,
      h(
        "div",
        { class: "cluster-more" },
        button("Nobody", busy(() => decide("nobody", [cluster.id], {}, "Marked as nobody")), { kind: "quiet", symbol: "nobody", title: "A statue, a poster, a screen: no person" }),
        button("Ignore", busy(() => decide("ignore", [cluster.id], {}, "Ignored from now on")), { kind: "quiet", symbol: "aside", title: "Somebody who is not to be asked about again" }),
      ),
    ],
  );
  let pictured = "";
  return {
    node,
    update(now) {
      cluster = now;
      box.checked = chosen.has(cluster.id);
      node.classList.toggle("cluster-chosen", box.checked);
      say(size, cluster.size === 1 ? "Seen once" : `Seen ${cluster.size} times`);
      const names = [...new Set(cluster.sources)].map((id) => state.source(id)?.name ?? id);
      say(facts, `${[...new Set([when(cluster.first), when(cluster.last)])].join(" to ")}${names.length ? ` · ${list(names)}` : ""}`);
      const like = cluster.looks_like;
      fill(
        alike,
        like && h("p", {}, "Looks like ", h("strong", {}, like.name), like.probability !== undefined && ` · ${percent(like.probability)}`),
        like && button(`It is ${like.name}`, busy(() => decide("name", [cluster.id], named(like), `${count(cluster.size, "sighting")} of ${like.name}`)), { symbol: "check" }),
      );
      if (pictured === cluster.thumbnails.join()) return;
      pictured = cluster.thumbnails.join();
      const shown = cluster.thumbnails.slice(0, FACES);
      faces.dataset.number = String(shown.length);
      fill(faces, shown.map((url) => face(url, "cluster-face")));
    },
  };
}

const named = (who) => (who.person ? { person: who.person } : { name: who.name });

/** What is done with all that were chosen; it stays at the edge of the screen while any are. */
function selectionBar(chosen, decide) {
  const words = h("p", { role: "status" });
  const field = nameField({ label: "Name them" });
  const ids = () => [...chosen];
  const node = h(
    "div",
    { class: "selection", hidden: true },
    words,
    h(
      "form",
      {
        class: "inline-form",
        onsubmit: busy(async (event) => {
          event.preventDefault();
          const who = field.who();
          if (!who) return field.input.focus();
          await decide("name", ids(), named(who), `${count(chosen.size, "group")} named ${who.name}`);
          field.input.value = "";
        }),
      },
      field.node,
      h("button", { class: "button button-primary" }, "Name"),
    ),
    button("Nobody", busy(() => decide("nobody", ids(), {}, `${count(chosen.size, "group")} marked as nobody`)), { symbol: "nobody" }),
    button("Ignore", busy(() => decide("ignore", ids(), {}, `${count(chosen.size, "group")} ignored from now on`)), { symbol: "aside" }),
    button("Strangers to calibrate by", busy(() => decide("strangers", ids(), {}, `${count(chosen.size, "group")} of strangers for the calibration`)), { symbol: "trust", title: "None of them is enrolled: the threshold is measured on them" }),
  );
  return {
    node,
    update(clusters) {
      node.hidden = chosen.size === 0 || !state.mayChange;
      const seen = clusters.filter((each) => chosen.has(each.id)).reduce((sum, each) => sum + each.size, 0);
      say(words, chosen.size ? `${count(chosen.size, "group")}, ${count(seen, "sighting")}` : "");
      for (const box of document.querySelectorAll(".cluster-box")) box.closest(".cluster").classList.toggle("cluster-chosen", box.checked);
    },
  };
}

/** What was decided before, to be taken back: review's decisions and corrections of events. */
function decisionsPart(changed) {
  const rows = h("ul", { class: "decisions" });
  const node = h("details", { class: "more decisions-part" }, h("summary", {}, "What was decided"), rows);
  async function load() {
    if (!node.open) return;
    try {
      const [decided, corrected] = await Promise.all([api.get("/review/decisions"), api.get("/corrections")]);
      const all = [
        ...decided.items.map((each) => ({ ...each, where: path`/review/decisions/${each.id}` })),
        ...corrected.items.filter((each) => !each.withdrawn).map((each) => ({ ...each, where: path`/corrections/${each.id}` })),
      ].sort((a, b) => (a.at < b.at ? 1 : -1));
      fill(
        rows,
        all.map((each) =>
          h(
            "li",
            {},
            face(each.thumbnail ?? thumbnailOf(each), "face-small"),
            h("span", { class: "decision-words" }, decisionWords(each), h("span", { class: "faint" }, ` ${when(each.at)}`)),
            state.mayChange &&
              button(
                "Take back",
                busy(async () => {
                  await api.delete(each.where);
                  toast("Taken back");
                  await load();
                  changed();
                }),
                { kind: "quiet", symbol: "undo" },
              ),
          ),
        ),
        all.length === 0 && h("li", { class: "faint" }, "Nothing yet."),
      );
    } catch (error) {
      if (error.status === undefined) throw error;
      fill(rows, h("li", { class: "faint" }, sentence(error.message)));
    }
  }
  node.addEventListener("toggle", load);
  return { node, load };
}

const thumbnailOf = ({ changed }) => (changed?.length ? `/api/v1${path`/events/${changed[0].event}/thumbnail.jpg`}` : null);

function decisionWords(decision) {
  const said = decision.changed?.filter((each) => each.said).length;
  const seen = count(decision.size ?? said ?? 1, "sighting");
  switch (decision.kind) {
    case "nobody":
      return `${seen}: nobody`;
    case "ignore":
      return `${seen}: ignored`;
    case "not":
      return `${seen}: not ${decision.name ?? "somebody who was removed since"}`;
    default:
      return `${seen}: ${decision.name ?? "somebody who was removed since"}`;
  }
}

function nothing(days) {
  if (days === 0) {
    return empty("review", "Nothing is kept for review", "Unknown faces are not kept, as you chose. When they are, those of one person are together here, and one tap names them.", h("a", { class: "button", href: to("settings") }, icon("settings"), "Settings"));
  }
  return empty("review", "No unknown faces", "Faces that nobody has a name for come here, those of one person together, and one tap names them.");
}
