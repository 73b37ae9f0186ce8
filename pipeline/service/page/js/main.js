/** The page: who is there, the frame around the views, and which view is shown. */

import { api, onLoggedOut } from "./api.js";
import { fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { menu } from "./parts/menu.js";
import { trouble } from "./parts/blocks.js";
import { closeDialogs } from "./parts/dialog.js";
import { busy, clearToasts, failed } from "./parts/toast.js";
import { here, to } from "./router.js";
import { listen, live } from "./socket.js";
import { state } from "./state.js";
import { nextTheme, useTheme } from "./theme.js";

const VIEWS = {
  live: { title: "Live", load: () => import("./views/live.js") },
  events: { title: "Events", load: () => import("./views/events.js") },
  people: { title: "People", load: () => import("./views/people.js") },
  review: { title: "Review", load: () => import("./views/review.js") },
  trust: { title: "Trust", load: () => import("./views/trust.js") },
  fleet: { title: "Fleet", load: () => import("./views/fleet.js"), aside: true },
  settings: { title: "Settings", load: () => import("./views/settings.js"), aside: true },
  start: { title: "Start", load: () => import("./views/start.js"), aside: true },
};

const app = document.getElementById("app");
let main = null; // where views stand; null while nobody is logged in
let leave = null; // ends the view that is shown
let deaf = []; // end what the frame listens to
let turn = 0; // of two views that load at a time, only the later is shown
let broken = false; // a view could not be loaded: the page is, again, once the service answers
let asking = false; // for a log-in: of the calls that are under way when it ends, each is refused

async function begin() {
  try {
    state.me = await api.get("/me");
  } catch (error) {
    if (error.status !== 401) fill(app, h("main", { class: "main" }, trouble(error, begin)));
    return; // whoever has to log in is asked to already
  }
  asking = false;
  frame();
  live.start();
  const [people, sources] = await Promise.all([state.loadPeople(), state.loadSources()]).catch((error) => {
    failed(error);
    return [null, null];
  });
  if (people?.length === 0 && sources.length === 0 && !location.hash && state.mayChange) location.replace(to("start"));
  await show();
  showFleet().catch(failed);
}

/** A link to the fleet, where there is one. */
async function showFleet() {
  const { cameras } = await api.get("/fleet");
  const end = app.querySelector(".bar-end");
  if (!cameras.length || !end) return;
  const link = h("a", { href: to("fleet"), class: "nav-link nav-aside", dataset: { view: "fleet" } }, icon("camera"), h("span", {}, "Fleet"));
  if (here().view === "fleet") link.setAttribute("aria-current", "page");
  end.prepend(link);
}

/** @param {boolean} left whether that was asked for. */
async function askForLogIn(left = false) {
  if (asking) return;
  asking = true;
  const ended = state.me !== null && !left;
  live.stop();
  state.forget();
  leaveView();
  main = null;
  closeDialogs(); // faces and names go, wherever they are
  clearToasts();
  for (const end of deaf) end();
  deaf = [];
  const { login } = await import("./views/login.js");
  fill(app, login(begin, { ended }));
  app.querySelector("input")?.focus();
}

/** The navigation and an empty place for views. */
function frame() {
  const links = Object.entries(VIEWS)
    .filter(([, view]) => !view.aside)
    .map(([name, view]) =>
      h("a", { href: to(name), class: "nav-link", dataset: { view: name } }, icon(name), h("span", {}, view.title)),
    );
  main = h("main", { id: "main", class: "main", tabindex: -1 });
  const link = h("p", { class: "offline", role: "status", hidden: true }, "The connection is lost. Trying again by itself.");
  const up = () => {
    link.hidden = true;
    if (broken) location.reload();
  };
  deaf = [listen("down", () => (link.hidden = false)), listen("up", up), listen("refused", () => api.get("/me").catch(() => {}))]; // refused as well, this asks for a log-in
  const skip = h("a", { class: "skip", href: "#main" }, "Skip to the content");
  skip.addEventListener("click", (event) => {
    event.preventDefault(); // the address after # is for views
    main.focus();
  });
  fill(
    app,
    skip,
    h(
      "header",
      { class: "bar" },
      h("a", { class: "brand", href: to("live"), "aria-label": "recog" }, h("img", { src: "page/icon.svg", alt: "", width: 26, height: 26 }), h("span", {}, "recog")),
      h("nav", { class: "nav", "aria-label": "Views" }, links),
      h(
        "div",
        { class: "bar-end" },
        h("a", { href: to("settings"), class: "nav-link nav-aside", dataset: { view: "settings" } }, icon("settings"), h("span", {}, "Settings")),
        menu("You", [
          { words: "Dark or light", icon: "theme", act: nextTheme },
          { words: "Log out", icon: "leave", act: busy(logOut) },
        ]),
      ),
    ),
    h("div", { class: "content" }, link, main),
  );
}

async function logOut() {
  await api.post("/logout");
  await askForLogIn(true);
}

async function show() {
  if (!main) return;
  const mine = ++turn;
  const { view, id, query } = here();
  const entry = VIEWS[view] ?? VIEWS.live;
  const name = VIEWS[view] ? view : "live";
  for (const link of app.querySelectorAll(".nav-link")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  let module;
  try {
    module = await entry.load();
  } catch {
    broken = true;
    fill(main, trouble({ message: "A part of this page could not be loaded from the service." }, () => location.reload()));
    return;
  }
  if (mine !== turn || !main) return;
  leaveView();
  document.title = `${entry.title} · recog`;
  fill(main);
  leave = module.mount(main, { id, query }) ?? null;
  window.scrollTo(0, 0);
  if (moved) (main.querySelector("h1") ?? main).focus({ preventScroll: true });
}

function leaveView() {
  const ending = leave;
  leave = null;
  ending?.();
}

let moved = false; // by a link since the page was opened: only then the focus goes to the new view's title
window.addEventListener("hashchange", () => {
  moved = true;
  closeDialogs(); // they belong to the view that is left
  show();
});
onLoggedOut(() => askForLogIn());
window.addEventListener("unhandledrejection", (event) => failed(event.reason));
useTheme();
begin();
