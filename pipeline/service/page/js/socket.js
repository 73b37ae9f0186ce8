/**
 * The one WebSocket of the page: pictures of the sources that are watched, events, changes.
 *
 * A picture is drawn before the next one of its source is asked for, so a slow browser skips frames and holds
 * nobody up. While the page is hidden nothing is watched, and nothing is encoded for it.
 */

const FIRST_WAIT = 0.5; // seconds before the first try to connect again
const LONGEST_WAIT = 15;
const REFUSED = 1008; // the code with which the service says: log in again

class Live extends EventTarget {
  #socket = null;
  #wait = FIRST_WAIT;
  #timer = null;
  #watched = { sources: [], size: "grid" };
  #wanted = false;
  #before = false; // whether it stood before

  /** Whether the connection stands. */
  connected = false;

  /** Connect, and stay connected. */
  start() {
    if (this.#wanted) return;
    this.#wanted = true;
    this.#connect();
  }

  /** Hang up for good, as after a log-out. */
  stop() {
    this.#wanted = false;
    clearTimeout(this.#timer);
    this.#drop();
  }

  /** Which sources' pictures to send: "grid" (small) or "large". */
  watch(sources, size = "grid") {
    this.#watched = { sources, size };
    this.#tellWatched();
  }

  /** The picture is on the screen; send the next one of its source. */
  shown(source, frame) {
    this.#send({ type: "shown", source, frame });
  }

  /** Try now what would be tried later. */
  hurry() {
    if (!this.#wanted || this.#socket) return;
    clearTimeout(this.#timer);
    this.#connect();
  }

  /** The network is another one: what stood over the old one may never say that it is gone. */
  again() {
    if (!this.#wanted) return;
    clearTimeout(this.#timer);
    this.#drop();
    this.#connect();
  }

  tellVisibility() {
    this.#tellWatched();
    if (!document.hidden) this.hurry();
  }

  #connect() {
    const url = new URL("api/v1/live", document.baseURI);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    socket.onopen = () => {
      this.connected = true;
      this.#wait = FIRST_WAIT;
      this.#tellWatched();
      this.#emit("up", { again: this.#before });
      this.#before = true;
    };
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = ({ code }) => {
      if (this.#socket !== socket) return; // it was dropped, and there may be another
      this.#socket = null;
      const was = this.connected;
      this.connected = false;
      if (was) this.#emit("down");
      if (code === REFUSED || !was) this.#emit("refused"); // or the service is not there
      if (!this.#wanted) return;
      // Spread out, so that many pages do not come back at one moment.
      this.#timer = setTimeout(() => this.#connect(), 1000 * this.#wait * (0.75 + Math.random() / 2));
      this.#wait = Math.min(2 * this.#wait, LONGEST_WAIT);
    };
  }

  #drop() {
    const was = this.connected;
    this.#socket?.close();
    this.#socket = null;
    this.connected = false;
    if (was) this.#emit("down");
  }

  #receive(data) {
    if (typeof data === "string") {
      const message = JSON.parse(data);
      this.#emit(message.type, message);
      return;
    }
    this.#emit("picture", unpack(data));
  }

  #tellWatched() {
    const { sources, size } = this.#watched;
    this.#send({ type: "watch", sources: document.hidden ? [] : sources, size });
  }

  #send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** A picture as it travels: a big-endian length, so many bytes of JSON, a JPEG. */
export function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  return { ...head, jpeg: new Blob([new Uint8Array(buffer, 4 + length)], { type: "image/jpeg" }) };
}

export const live = new Live();
document.addEventListener("visibilitychange", () => live.tellVisibility());
window.addEventListener("online", () => live.again());

/** Listen to `type` for as long as a view stands; returns what ends it. */
export function listen(type, told) {
  const heard = (event) => told(event.detail);
  live.addEventListener(type, heard);
  return () => live.removeEventListener(type, heard);
}
