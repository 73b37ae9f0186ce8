/** Which view is shown: the address after `#`, as in `#/people/7?merge=1`. */

/** The present address: `{view, id, query}`. */
export function here() {
  const [where, search = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [view = "", ...rest] = where.split("/").map(decoded);
  return { view: view || "live", id: rest[0] ?? null, query: Object.fromEntries(new URLSearchParams(search)) };
}

/** A part of an address, which somebody may have typed. */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** An address for links. */
export function to(view, id = null, query = {}) {
  const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value)).toString();
  return `#/${view}${id === null ? "" : `/${encodeURIComponent(id)}`}${search ? `?${search}` : ""}`;
}

/** Go there. `replace`: so that "back" does not lead here again. */
export function go(address, { replace = false } = {}) {
  if (replace) {
    history.replaceState(null, "", address);
    window.dispatchEvent(new HashChangeEvent("hashchange"));
  } else location.hash = address;
}
