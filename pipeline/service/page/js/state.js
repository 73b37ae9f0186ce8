/** What several views need: who is logged in, the sources, who is enrolled. */

import { api, onStale } from "./api.js";
import { live } from "./socket.js";

class State extends EventTarget {
  /** @type {{role: "viewer"|"admin", name: string}|null} */
  me = null;
  /** @type {Array} newest word on every source; null until it is known. */
  sources = null;
  /** @type {Array} who is enrolled, by name; null until it is known. */
  people = null;
  #peopleAsked = 0;
  #peopleShown = 0; // the latest question whose answer `people` is; one that was asked earlier comes too late

  /** Whether changes may be made; the service checks it, the page only does not offer what would be refused. */
  get mayChange() {
    return this.me?.role === "admin";
  }

  source(id) {
    return this.sources?.find((each) => each.id === id) ?? null;
  }

  person(id) {
    return this.people?.find((each) => each.id === id) ?? null;
  }

  setSources(items) {
    this.sources = items;
    this.#tell("sources");
  }

  /** One source as a call answered it. */
  putSource(source) {
    const others = (this.sources ?? []).filter((each) => each.id !== source.id);
    const at = this.sources?.findIndex((each) => each.id === source.id) ?? -1;
    others.splice(at < 0 ? others.length : at, 0, source);
    this.setSources(others);
  }

  dropSource(id) {
    this.setSources((this.sources ?? []).filter((each) => each.id !== id));
  }

  async loadSources() {
    this.setSources(await everything("/sources"));
    return this.sources;
  }

  async loadPeople() {
    const mine = ++this.#peopleAsked;
    const found = await everything("/people");
    if (mine < this.#peopleShown) return found;
    this.#peopleShown = mine;
    this.people = found;
    this.#tell("people");
    return found;
  }

  forget() {
    this.#peopleShown = this.#peopleAsked + 1; // nor is what was asked before
    this.me = this.sources = this.people = null;
  }

  /** Be told of "sources" or "people"; returns what ends it. */
  on(type, told) {
    this.addEventListener(type, told);
    return () => this.removeEventListener(type, told);
  }

  #tell(type) {
    this.dispatchEvent(new Event(type));
  }
}

/** All items of a list, page by page. */
export async function everything(where, query = {}) {
  const items = [];
  for (let cursor = null; ; ) {
    const page = await api.get(where, { ...query, limit: 200, cursor });
    items.push(...page.items);
    cursor = page.next;
    if (!cursor) return items;
  }
}

export const state = new State();

live.addEventListener("sources", ({ detail }) => state.setSources(detail.items));
const newPeople = () => {
  if (state.people) state.loadPeople().catch(() => {}); // told again with the next change, and by every view that loads
};
live.addEventListener("people", newPeople);
live.addEventListener("up", ({ detail }) => detail.again && newPeople()); // what changed meanwhile was not told
onStale(() => {
  newPeople();
  if (state.sources) state.loadSources().catch(() => {}); // likewise
});
