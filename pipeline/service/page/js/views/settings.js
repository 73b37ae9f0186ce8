/** Settings: what is kept and for how long, tokens for programs, who changed what. */

import { api, path } from "../api.js";
import { fill, h } from "../dom.js";
import { button, field, head, trouble } from "../parts/blocks.js";
import { confirm } from "../parts/dialog.js";
import { busy, failed, toast } from "../parts/toast.js";
import { state } from "../state.js";
import { count, when } from "../words.js";

export function mount(root) {
  const parts = [["Keeping", keeping], state.mayChange && ["Access", access], state.mayChange && ["Who changed what", audit], ["About", about]].filter(Boolean);
  fill(
    root,
    head("Settings"),
    parts.map(([title, draw]) => {
      const place = h("div", {}, h("div", { class: "ghost ghost-line" }));
      const load = () =>
        draw(place).catch((error) => {
          if (error.status === undefined) throw error;
          fill(place, trouble(error, load));
        });
      load();
      return h("section", { class: "panel" }, h("h2", {}, title), place);
    }),
  );
}

async function keeping(place) {
  const settings = await api.get("/settings");
  const days = (value, name, zero) =>
    h(
      "select",
      {
        class: "input",
        disabled: !state.mayChange,
        onchange: (event) => {
          const changed = event.currentTarget;
          api
            .patch("/settings", { [name]: Number(changed.value) })
            .then(() => {
              value = Number(changed.value);
              toast("Saved");
            })
            .catch((error) => {
              changed.value = String(value);
              failed(error);
            });
        },
      },
      [...new Set([0, 1, 7, 14, 30, 90, 365, value])].sort((a, b) => a - b).map((each) => h("option", { value: each, selected: each === value }, each === 0 ? zero : count(each, "day"))),
    );
  fill(
    place,
    field("Unknown faces, for the review", days(settings.review_days, "review_days", "Not at all"), "On this machine only; deleted for good afterwards."),
    field("Events and their pictures", days(settings.events_days, "events_days", "For ever")),
  );
}

async function access(place) {
  const { items } = await api.get("/tokens");
  const name = h("input", { class: "input", required: true, maxlength: 80, placeholder: "kitchen display", autocomplete: "off" });
  const role = h("select", { class: "input" }, h("option", { value: "viewer" }, "may look"), h("option", { value: "admin" }, "may change everything"));
  const made = h("div", { role: "status" });
  const again = () => access(place);
  fill(
    place,
    h("p", { class: "faint" }, "A token lets a program, or somebody else's browser, in. It is shown once."),
    items.length > 0 &&
      h(
        "ul",
        { class: "rows" },
        items.map((token) =>
          h(
            "li",
            {},
            h("span", {}, h("strong", {}, token.name), h("span", { class: "faint" }, ` ${token.role === "admin" ? "may change everything" : "may look"} · ${token.used ? `used ${when(token.used)}` : "never used"}`)),
            button(
              "Revoke",
              busy(async () => {
                if (!(await confirm({ title: `Revoke ${token.name}?`, words: "Whoever uses it is locked out at once.", action: "Revoke" }))) return;
                await api.delete(path`/tokens/${token.id}`);
                await again();
              }),
              { kind: "quiet" },
            ),
          ),
        ),
      ),
    h(
      "form",
      {
        class: "inline-form",
        onsubmit: busy(async (event) => {
          event.preventDefault();
          const token = await api.post("/tokens", { name: name.value.trim(), role: role.value });
          await again();
          fill(place.querySelector(".made"), h("p", {}, `The token of ${token.name}, shown this once:`), h("input", { class: "input code", readonly: true, value: token.token, "aria-label": "Token", onfocus: (focus) => focus.currentTarget.select() }));
          place.querySelector(".made input").focus();
        }),
      },
      field("Whose", name),
      field("They", role),
      h("button", { class: "button" }, "Make a token"),
    ),
    h("div", { class: "made" }, made),
  );
}

async function audit(place) {
  const { items } = await api.get("/audit", { limit: 20 });
  fill(
    place,
    items.length === 0
      ? h("p", { class: "faint" }, "Nothing yet.")
      : h(
          "ul",
          { class: "rows" },
          items.map((each) => h("li", {}, h("span", {}, h("strong", {}, each.caller), ` ${each.action.replaceAll("_", " ")}`), h("time", { class: "faint", datetime: each.at }, when(each.at)))),
        ),
  );
}

async function about(place) {
  const { version, model } = await api.get("/version");
  fill(place, h("p", {}, `recog ${version} · model ${model}`), h("p", { class: "faint" }, "All of this page comes from this service, and it sends nothing to anybody else."));
}
