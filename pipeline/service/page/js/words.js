/** Times, counts and verdicts as people read them. */

const LOCALE = navigator.language.startsWith("en") ? navigator.language : "en-GB";
const CLOCK = new Intl.DateTimeFormat(LOCALE, { hour: "numeric", minute: "2-digit" });
const EXACT = new Intl.DateTimeFormat(LOCALE, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat(LOCALE, { weekday: "long", day: "numeric", month: "long" });
const SHORT_DAY = new Intl.DateTimeFormat(LOCALE, { day: "numeric", month: "short" });
const NARROW = "\u202f"; // a narrow space that does not break

/** "14:03". */
export const clock = (at) => CLOCK.format(new Date(at));

/** "14:03:05". */
export const exact = (at) => EXACT.format(new Date(at));

/** "Today", "Yesterday", "Friday 27 November". */
export function day(at, now = new Date()) {
  const days = daysAgo(at, now);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  return DAY.format(new Date(at));
}

/** "just now", "4 min ago", "14:03", "yesterday 14:03", "27 Nov 14:03". */
export function when(at, now = new Date()) {
  const seconds = (now - new Date(at)) / 1000;
  if (seconds < 45) return "just now";
  if (seconds < 3600) return `${Math.max(1, Math.round(seconds / 60))} min ago`;
  const days = daysAgo(at, now);
  if (days === 0) return clock(at);
  return `${days === 1 ? "yesterday" : SHORT_DAY.format(new Date(at))} ${clock(at)}`;
}

function daysAgo(at, now) {
  const midnight = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate());
  return Math.round((midnight(now) - midnight(new Date(at))) / 86400000);
}

/** How long something took: "8 s", "3 min", "2 h 5 min". */
export function span(seconds) {
  if (seconds < 1) return "under 1 s";
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const rest = minutes % 60;
  return rest ? `${Math.floor(minutes / 60)} h ${rest} min` : `${minutes / 60} h`;
}

/** "1 photo", "3 photos", "1,204 photos". */
export function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

/** A probability as it may be told: rounding never claims certainty. "99.9 %". */
export function percent(share) {
  const told = Math.min(Math.max(share, 0), 0.999);
  const digits = told > 0.99 ? 1 : 0;
  return `${(100 * told).toFixed(digits)}${NARROW}%`;
}

/** A share that was chosen or reckoned, not estimated: "0.1 %", "1 %". */
export const share = (value) => `${Number((100 * value).toPrecision(2))}${NARROW}%`;

/** Who it is, or what is known: "alice", "Unknown", "Not sure yet". */
export function who(seen) {
  if (seen.covered) return "Covered";
  if (seen.state === "named" && seen.name) return seen.name;
  return seen.state === "unknown" ? "Unknown" : "Not sure yet";
}

/** "a", "a and b", "a, b and c". */
export function list(words) {
  return words.length < 2 ? (words[0] ?? "") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

/** The same with a capital letter, and a full stop. */
export function sentence(words) {
  const text = (words ?? "").trim();
  if (!text) return "";
  return text[0].toUpperCase() + text.slice(1) + (/[.!?…]$/.test(text) ? "" : ".");
}
