/** The faces of a picture as elements above it: boxes that can be tapped, with names, and evidence that grows. */

import { css, h, keyed, say } from "../dom.js";
import { percent, who } from "../words.js";

/**
 * @param {(face, source: string) => void} onpick called with the face that was tapped.
 * @returns {{node: Element, draw: (picture) => void, clear: () => void}}
 */
export function facesLayer(onpick) {
  const node = h("div", { class: "faces" });
  return {
    node,
    draw(picture) {
      const { width, height } = picture;
      const faces = picture.faces.map((face) => ({ ...face, width, height, source: picture.source }));
      keyed(node, faces, (face) => String(face.key), (face) => faceElement(face, onpick));
    },
    clear: () => keyed(node, [], String, () => null),
  };
}

function faceElement(first, onpick) {
  let shown = first;
  const name = h("span", { class: "face-name" });
  const sure = h("span", { class: "face-sure" });
  const evidence = h("span", { class: "face-evidence" }, h("span", { class: "face-evidence-bar" }));
  const label = h("span", { class: "face-label" }, name, sure, evidence);
  const node = h("button", { type: "button", class: "face", onclick: () => onpick(shown, shown.source) }, label);
  return {
    node,
    update(face) {
      shown = face;
      const [x1, y1, x2, y2] = face.box;
      const left = clamp(x1 / face.width);
      const top = clamp(y1 / face.height);
      css(node, {
        left: part(left),
        top: part(top),
        width: part(clamp(x2 / face.width) - left),
        height: part(clamp(y2 / face.height) - top),
        "--evidence": String(Math.min(1, Math.max(0, face.confidence ?? 0))),
      });
      node.dataset.state = face.covered ? "covered" : face.state;
      node.classList.toggle("face-high", top < 0.09); // no room above: the label goes inside
      node.classList.toggle("face-right", left > 0.62);
      say(name, face.state === "undecided" ? "?" : who(face));
      say(sure, face.state === "named" ? percent(face.confidence) : "");
      const words = face.covered ? "A covered face" : face.state === "named" ? `${face.name}, ${percent(face.confidence)}` : who(face);
      if (node.getAttribute("aria-label") !== words) node.setAttribute("aria-label", words);
    },
  };
}

const clamp = (share) => Math.min(1, Math.max(0, share));
const part = (share) => `${(100 * share).toFixed(2)}%`;
