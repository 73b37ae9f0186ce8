/** Calls to the service. Every failure is a `Problem` that says in one line what is wrong. */

const ROOT = "api/v1";

/** A failure as the service tells it (RFC 9457), or that it could not be reached (`status` 0). */
export class Problem extends Error {
  constructor(status, body = {}, retryAfter = null) {
    super(inWords(body));
    this.status = status;
    this.code = body.code ?? (status ? "error" : "unreachable");
    this.requestId = body.request_id ?? null;
    this.errors = body.errors ?? [];
    this.retryAfter = retryAfter; // seconds
  }
}

function inWords({ code, detail, errors }) {
  if (code === "invalid_request" && errors?.length) return errors.map((each) => `${each.where.split(".").at(-1)}: ${each.detail}`).join("; ");
  return detail ?? "The service did not answer. Is it running?";
}

const stale = new Set();
/** Be told when a change was refused because what it was decided on is old. */
export const onStale = (told) => stale.add(told);

const OUTDATED = "This was changed elsewhere meanwhile, so nothing was done. The page shows it as it is now: look again, and then decide.";
const loggedOut = new Set();
/** Be told when a call was refused because nobody is logged in. */
export const onLoggedOut = (told) => loggedOut.add(told);

/** A path below the API, with the parts in `${}` made safe: path`/people/${id}`. */
export function path(parts, ...values) {
  return parts.reduce((all, part, i) => all + part + (i < values.length ? encodeURIComponent(values[i]) : ""), "");
}

/** What an image element loads from: the service's own path, wherever the page was mounted. */
export const picture = (url) => (url ? new URL(url, document.baseURI).href : "");

async function call(method, where, { query, json, form, version, creates } = {}) {
  const url = new URL(ROOT + where, document.baseURI);
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
  }
  const headers = { accept: "application/json" };
  if (json !== undefined) headers["content-type"] = "application/json";
  if (version !== undefined) headers["if-match"] = `"${version}"`;
  if (creates) headers["idempotency-key"] = unique();
  const options = { method, headers, body: json === undefined ? form : JSON.stringify(json), cache: "no-store" };
  const answer = await sent(url, options, Boolean(creates) || method === "GET");
  if (answer.status === 204) return null;
  const isJson = (answer.headers.get("content-type") ?? "").includes("json");
  const body = isJson ? await answer.json() : null;
  if (answer.ok) return body;
  const wait = Number(answer.headers.get("retry-after")) || null;
  const outdated = answer.status === 412 && version !== undefined;
  const told = outdated ? { ...body, detail: OUTDATED } : (body ?? { detail: `The service answered ${answer.status}.` });
  const problem = new Problem(answer.status, told, wait);
  if (outdated) for (const hear of stale) hear(problem);
  if (answer.status === 401 && !where.startsWith("/login")) for (const told of loggedOut) told(problem);
  throw problem;
}

/** Send once more where the connection broke and saying it twice does no harm. */
async function sent(url, options, mayRepeat) {
  try {
    return await fetch(url, options);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    if (!mayRepeat) throw new Problem(0);
  }
  try {
    return await fetch(url, options);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new Problem(0);
  }
}

function unique() {
  // crypto.randomUUID is only there in secure contexts.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export const api = {
  get: (where, query) => call("GET", where, { query }),
  /** `version`: of the thing as it was shown; the service refuses where it has changed since. */
  post: (where, json = {}, { version } = {}) => call("POST", where, { json, version, creates: true }),
  upload: (where, form, { version } = {}) => call("POST", where, { form, version, creates: true }),
  patch: (where, json, { version } = {}) => call("PATCH", where, { json, version }),
  delete: (where, { version } = {}) => call("DELETE", where, { version }),
};
