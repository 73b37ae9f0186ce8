/** Trust: what the threshold promises at this gallery's size, and measuring it. */

import { api } from "../api.js";
import { fill, h } from "../dom.js";
import { icon } from "../icons.js";
import { button, empty, field, ghosts, head, trouble } from "../parts/blocks.js";
import { busy, toast } from "../parts/toast.js";
import { followJob } from "../parts/job.js";
import { to } from "../router.js";
import { state } from "../state.js";
import { count, sentence, share } from "../words.js";

const TARGETS = [0.001, 0.003, 0.01, 0.03]; // shares of strangers who may be given a name

export function mount(root) {
  const place = h("div", { class: "trust" }, ghosts("trust-ghosts", 2));
  fill(root, head("Trust"), place);
  const progress = h("div", { role: "status" });
  let job = null;
  let left = false;

  /** See a calibration through, whoever began it. */
  function follow(begun) {
    job?.stop();
    job = followJob(begun, progress, {
      done: () => {
        toast("Calibrated");
        load();
      },
    });
  }

  async function load() {
    try {
      draw(await api.get("/calibration"));
    } catch (error) {
      if (error.status === undefined) throw error;
      fill(place, trouble(error, load));
    }
  }

  function draw(found) {
    if (!found.people) {
      fill(place, empty("trust", "Nobody is enrolled yet", "As soon as people are, this page says how often a stranger would be taken for one of them.", state.mayChange && h("a", { class: "button button-primary", href: to("people", null, { add: "1" }) }, "Add the first person")));
      return;
    }
    const targets = [...new Set([...TARGETS, found.target])].sort((a, b) => a - b);
    const target = h(
      "select",
      { class: "input" },
      targets.map((each) => h("option", { value: each, selected: each === found.target }, `${share(each)} of strangers`)),
    );
    const calibrate = busy(async () => {
      follow(await api.post("/calibration", { target: Number(target.value) }));
    });
    fill(
      place,
      h("section", { class: "promise", dataset: { state: found.state } }, icon(found.state === "calibrated" ? "trust" : "warning"), h("p", {}, sentence(found.sentence))),
      found.doubts.length > 0 &&
        h(
          "section",
          { class: "panel doubts" },
          found.doubts.map((doubt) => h("p", {}, icon("warning"), h("span", {}, `${doubt} If yours are like them, allow fewer.`))),
        ),
      h(
        "dl",
        { class: "facts" },
        fact("Enrolled", count(found.people, "person", "people")),
        fact("Strangers tried", found.tried === null ? "none yet" : found.tried.toLocaleString("en")),
        found.named !== null && fact("Of them named", found.named.toLocaleString("en")),
        found.kinds.length > 1 && found.kinds.map((kind) => fact(`Of ${kind.name} named`, `${kind.named.toLocaleString("en")} of ${kind.tried.toLocaleString("en")}`)),
        found.photos_tried !== null && fact("Own photos recognised", `${found.photos_recognised} of ${found.photos_tried}`),
        fact("Strangers of your own", found.strangers ? found.strangers.toLocaleString("en") : "none yet"),
        fact("Strangers who may be named, at most", share(found.target)),
      ),
      state.mayChange &&
        h(
          "section",
          { class: "panel" },
          h("h2", {}, "Calibrate"),
          h("p", {}, "Everybody enrolled is tried against strangers, and the threshold is set so that no more of them than you allow are given a name. A lower share makes names rarer, and surer."),
          h("div", { class: "inline-form" }, field("Allow at most", target), button("Calibrate", calibrate, { kind: "primary" })),
          progress,
        ),
      h(
        "section",
        { class: "panel" },
        h("h2", {}, "Strangers of your own"),
        h("p", {}, "Strangers who pass before your own cameras tell more than any others. In the review, choose groups of people you do not know, and take them as strangers to calibrate by."),
        h("a", { class: "button", href: to("review") }, icon("review"), "To the review"),
      ),
    );
  }

  const end = state.on("people", load);
  load();
  api.get("/jobs", { limit: 5 }).then(({ items }) => {
    const running = items.find((each) => each.kind === "calibrate" && ["queued", "running"].includes(each.state));
    if (running && !job && !left) follow(running);
  }, () => {}); // the view's own trouble says it
  return () => {
    left = true;
    end();
    job?.stop();
  };
}

const fact = (name, value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));
