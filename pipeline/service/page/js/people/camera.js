/**
 * Photos by the browser's camera, with the guidance of `recog enroll --webcam`: straight ahead, left, right, up;
 * each pose is held for a moment, and the best picture of it is kept.
 *
 * The service finds the face and says how good it is; which way the head is turned is reckoned here from its
 * landmarks, by the formulas of pipeline/enrolment/guide.py.
 */

import { api } from "../api.js";
import { css, fill, h, say } from "../dom.js";
import { sentence } from "../words.js";

const HOLD = 3; // pictures in a row that a pose must be held
const RISE = 0.06; // how far the nose rises between eyes and mouth when somebody looks up
const GOOD = 0.5; // quality from which the bar is green
const PACE = 200; // milliseconds between two pictures
const SIDE = 640; // longer side of the pictures that are looked at, pixels

const POSES = [
  { name: "front", words: "Look straight into the camera" },
  { name: "left", words: "Turn your head a little to your left" },
  { name: "right", words: "Turn your head a little to your right" },
  { name: "up", words: "Look straight ahead and lift your chin" },
];

/** How far a head is turned to its own left: 0 frontal, 1 profile, negative to the right. */
export function yaw([left, right, nose]) {
  const eyes = minus(right, left);
  return 2 * (dot(minus(nose, left), eyes) / Math.max(dot(eyes, eyes), 1e-6)) - 1;
}

/** Where the nose is on the way from the eyes (0) to the mouth (1). */
export function nod([left, right, nose, leftMouth, rightMouth]) {
  const eyes = middle(left, right);
  const down = minus(middle(leftMouth, rightMouth), eyes);
  return dot(minus(nose, eyes), down) / Math.max(dot(down, down), 1e-6);
}

const minus = (a, b) => [a[0] - b[0], a[1] - b[1]];
const dot = (a, b) => a[0] * b[0] + a[1] * b[1];
const middle = (a, b) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];

/** Takes looks one after the other and says which pose comes next. */
export class Guide {
  kept = []; // the best look of each pose that is done, in order
  #holding = [];
  #level = 0.49; // nod of a level head, until it was measured

  get wanted() {
    return POSES[this.kept.length] ?? null;
  }

  /** Take in a look `{landmarks, score, ...}`, or null where no face was good enough. */
  see(look) {
    const pose = this.wanted;
    if (!pose) return;
    if (!look || !this.#isIn(pose.name, look.landmarks)) {
      this.#holding = []; // it must be held, not passed through
      return;
    }
    this.#holding.push(look);
    if (this.#holding.length < HOLD) return;
    if (pose.name === "front") {
      const nods = this.#holding.map((each) => nod(each.landmarks)).sort((a, b) => a - b);
      this.#level = nods[Math.floor(nods.length / 2)];
    }
    this.kept.push(this.#holding.reduce((best, each) => (each.score > best.score ? each : best)));
    this.#holding = [];
  }

  #isIn(pose, landmarks) {
    const turned = yaw(landmarks);
    switch (pose) {
      case "front":
        return Math.abs(turned) < 0.2;
      case "left":
        return turned >= 0.2 && turned <= 0.75;
      case "right":
        return turned >= -0.75 && turned <= -0.2;
      default:
        return Math.abs(turned) < 0.3 && nod(landmarks) <= this.#level - RISE;
    }
  }
}

/**
 * @param {(files: File[]) => void} done called with a photo of each pose.
 * @returns {{node: Element, stop: () => void}}
 */
export function cameraGuide(done) {
  const guide = new Guide();
  const video = h("video", { class: "guide-video", muted: true, playsinline: true, "aria-label": "Your camera, mirrored" });
  const words = h("p", { class: "guide-words", role: "status" }, "Asking for your camera…");
  const bar = h("span", { class: "guide-bar" });
  const steps = h("ol", { class: "guide-steps" }, POSES.map((pose) => h("li", {}, pose.name)));
  const enough = h("button", { type: "button", class: "button", hidden: true, onclick: () => finish() }, "That is enough");
  const node = h(
    "div",
    { class: "guide" },
    h("div", { class: "guide-picture" }, video),
    words,
    h("div", { class: "guide-quality", role: "img", "aria-label": "Quality of the picture" }, bar),
    steps,
    enough,
  );
  const canvas = h("canvas");
  let stream = null;
  let over = false;

  function stop() {
    over = true;
    stream?.getTracks().forEach((track) => track.stop());
  }
  function finish() {
    if (over) return;
    stop();
    done(guide.kept.map((look, i) => new File([look.blob], `camera, ${POSES[i].name}.jpg`, { type: "image/jpeg" })));
  }
  async function run() {
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user", width: { ideal: 1280 } }, audio: false });
    } catch (error) {
      say(words, error.name === "NotAllowedError" ? "The browser does not let this page use the camera. Allow it beside the address, or choose photos." : "This device has no camera that the browser can open. Choose photos.");
      return;
    }
    if (over) {
      stop();
      return;
    }
    video.srcObject = stream;
    await video.play();
    while (!over) {
      const begun = performance.now();
      await look();
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, PACE - (performance.now() - begun))));
    }
  }
  async function look() {
    const scale = Math.min(1, SIDE / Math.max(video.videoWidth, video.videoHeight, 1));
    canvas.width = Math.max(1, Math.round(scale * video.videoWidth));
    canvas.height = Math.max(1, Math.round(scale * video.videoHeight));
    canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
    if (!blob || over) return;
    const form = new FormData();
    form.append("image", blob, "camera.jpg");
    let faces;
    try {
      ({ faces } = await api.upload("/identify", form));
    } catch (error) {
      if (error.status === undefined) throw error;
      say(words, sentence(error.message));
      await new Promise((resolve) => setTimeout(resolve, 1000 * (error.retryAfter ?? 1)));
      return;
    }
    if (over) return;
    const [face] = faces;
    let reason = "";
    if (!face) reason = "No face is in the picture";
    else if (faces.length > 1) reason = "Only one person may be in the picture";
    else if (face.landmarks.includes(null)) reason = "The face cannot be seen well";
    else {
      const flaw = face.reasons.find((each) => !each.startsWith("turned")); // turning is what is asked for
      if (flaw) reason = `The face is ${flaw}`;
    }
    guide.see(reason ? null : { landmarks: face.landmarks, score: face.quality, blob });
    css(bar, { "--share": String(face?.quality ?? 0) });
    bar.classList.toggle("guide-good", (face?.quality ?? 0) >= GOOD);
    fill(steps, POSES.map((pose, i) => h("li", { dataset: { done: String(i < guide.kept.length) }, "aria-current": pose === guide.wanted ? "step" : null }, pose.name)));
    enough.hidden = guide.kept.length === 0;
    if (!guide.wanted) finish();
    else say(words, reason ? sentence(reason) : guide.wanted.words);
  }
  run();
  return { node, stop };
}
