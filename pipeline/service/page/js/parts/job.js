/** Long work of the service: how far it is, and ending it. */

import { api, path } from "../api.js";
import { fill, h, say } from "../dom.js";
import { sentence } from "../words.js";
import { busy, toast } from "./toast.js";
import { button } from "./blocks.js";

const PACE = 700; // milliseconds between two looks at it

/**
 * Show a job until it is over.
 *
 * @param {{id: string}} begun as the service answered
 * @param {Element} place what it is shown in
 * @param {{done: (job) => void}} told called when it has succeeded
 * @returns {{stop: () => void}} stops looking; the job goes on.
 */
export function followJob(begun, place, { done }) {
  const words = h("p", {}, "Waiting");
  const bar = h("progress", { max: 1, "aria-label": "How far it is" });
  const cancel = button("Cancel", busy(() => api.delete(path`/jobs/${begun.id}`)), { kind: "quiet" });
  fill(place, h("div", { class: "job" }, words, bar, cancel));
  let timer = null;
  let stopped = false; // an answer may come after that
  async function look() {
    try {
      const job = await api.get(path`/jobs/${begun.id}`);
      if (stopped) return;
      if (job.total > 1) bar.value = job.done / job.total;
      if (job.state === "running") say(words, job.total > 1 ? `${job.done.toLocaleString("en")} of ${job.total.toLocaleString("en")}` : "At work");
      if (["queued", "running"].includes(job.state)) {
        timer = setTimeout(look, PACE);
        return;
      }
      fill(place);
      if (job.state === "done") done(job);
      else if (job.state === "cancelled") toast("Cancelled");
      else if (job.state === "failed") fill(place, h("p", { class: "wrong", role: "alert" }, sentence(job.problem) || "It failed."));
    } catch (error) {
      if (error.status === undefined) throw error;
      if (stopped) return;
      if (error.status === 0) timer = setTimeout(look, 5 * PACE); // the connection's own notice says it
      else fill(place, h("p", { class: "wrong", role: "alert" }, sentence(error.message)));
    }
  }
  look();
  return {
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
