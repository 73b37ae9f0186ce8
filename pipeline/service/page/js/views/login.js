/** Logging in: by the one-time key that the service printed, or by a token. */

import { api } from "../api.js";
import { h } from "../dom.js";
import { field } from "../parts/blocks.js";
import { sentence } from "../words.js";

/**
 * The page of somebody who is not logged in.
 *
 * @param {() => Promise<void>} done called when they are.
 * @param {{ended: boolean}} options whether they were, until now.
 */
export function login(done, { ended }) {
  document.title = "Log in · recog";
  const secret = h("input", { type: "password", class: "input", required: true, autocomplete: "current-password", maxlength: 200, spellcheck: "false" });
  const wrong = h("p", { class: "wrong", role: "alert", hidden: true });
  const button = h("button", { class: "button button-primary button-wide" }, "Log in");
  return h(
    "main",
    { class: "login" },
    h(
      "form",
      {
        class: "login-form",
        onsubmit: async (event) => {
          event.preventDefault();
          wrong.hidden = true;
          button.setAttribute("aria-busy", "true");
          try {
            await enter(secret.value.trim());
            await done();
          } catch (error) {
            if (error.status === undefined) throw error;
            wrong.hidden = false;
            wrong.textContent = sentence(error.message) + (error.retryAfter ? ` Try again in ${Math.ceil(error.retryAfter)} s.` : "");
            secret.select();
          } finally {
            button.removeAttribute("aria-busy");
          }
        },
      },
      h("img", { src: "page/icon.svg", alt: "", width: 44, height: 44 }),
      h("h1", {}, "recog"),
      ended && h("p", { class: "login-ended", role: "status" }, "Your log-in has ended, or was revoked. What you were looking at comes back when you log in."),
      field("Key or token", secret, "The service prints an address with a one-time key when it first starts, and opens one with --open. A token is made with: recog serve token create NAME"),
      wrong,
      button,
    ),
  );
}

/** Tokens say what they are by how they begin; anything else is a key. */
async function enter(secret) {
  const kind = secret.startsWith("recog_") ? "token" : "key";
  await api.post("/login", { [kind]: secret });
}
