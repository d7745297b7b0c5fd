// A WebSocket that stays: a client of API Gateway's WebSocket APIs, and of
// Gatepost, for browsers and Node. ../README.md has examples and says why each
// default is what it is.

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const OPEN = 1; // readyState of a WebSocket

/** The largest message that a browser can send, in bytes of UTF-8: one frame. */
export const MAX_FRAME = 32 * 1024;

/** What counts when options do not say otherwise; times are in milliseconds. */
export const DEFAULTS = Object.freeze({
  backoff: Object.freeze({ base: SECOND, max: 30 * SECOND, attempts: Infinity, stableAfter: 10 * SECOND }),
  connectTimeout: 15 * SECOND,
  keepAlive: Object.freeze({ every: 8 * MINUTE, message: '{"action":"ping"}', answerWithin: 0 }),
  renew: Object.freeze({ after: 110 * MINUTE, overlap: 5 * SECOND }),
  queue: Object.freeze({ messages: 100, bytes: 1024 * 1024 }),
  maxMessage: MAX_FRAME,
});

/** Why a message was not taken: "closed", "too-large" or "queue-full" is its code. */
export class SendError extends Error {
  constructor(code, message) {
    super(message);
    this.name = "SendError";
    this.code = code;
  }
}

/**
 * A client that connects, and connects again whenever its connection ends,
 * until close() is called. It begins by itself once the code that has made it
 * has run. What it tells are the events state, open, message, lost, wait and
 * close; client.d.ts has their types.
 */
export class Client extends EventTarget {
  #address;
  #options;
  #WebSocket;
  #state = "connecting";
  #queue = [];
  #queuedBytes = 0;
  #current = null; // the link that is open, or null
  #dialing = null; // the attempt that is under way, or null
  #retired = new Map(); // links that are still heard after a renewal, with their timers
  #failures = 0; // attempts and short connections in a row
  #timers = { retry: 0, renew: 0, keepAlive: 0, answer: 0, stable: 0 };
  #over = false; // the event close was told
  #hurry = () => this.#timers.retry && this.#retry();

  /**
   * @param {string | (() => Target | Promise<Target>)} address where to
   *   connect. A function is called anew for each connection, so that it can
   *   fetch a fresh token; what it throws counts as a failed attempt.
   * @param {import("./client.d.ts").ClientOptions} [options]
   */
  constructor(address, options = {}) {
    super();
    this.#address = typeof address === "function" ? address : () => address;
    this.#options = complete(options);
    this.#WebSocket = options.WebSocket ?? globalThis.WebSocket;
    if (typeof this.#WebSocket !== "function") {
      throw new TypeError("there is no WebSocket here: give one in the option WebSocket, for example that of the package ws");
    }
    globalThis.addEventListener?.("online", this.#hurry);
    queueMicrotask(() => this.#dial());
  }

  /** "connecting", "open", "waiting" for the next attempt, or "closed" for good. */
  get state() {
    return this.#state;
  }

  /** How many messages wait for a connection. */
  get queued() {
    return this.#queue.length;
  }

  /**
   * Sends a message, or keeps it until there is a connection; messages keep
   * their order. That it was taken does not mean that it has arrived: what a
   * connection had taken when it broke may be lost.
   *
   * @param {string} text at most maxMessage bytes; see chunks.js for more
   * @throws {SendError} when the message was not taken
   */
  send(text) {
    if (typeof text !== "string") {
      throw new TypeError("only text can be sent: API Gateway closes the connection at a binary message");
    }
    if (this.#state === "closed") {
      throw new SendError("closed", "the client was closed");
    }
    const size = byteLength(text);
    if (size > this.#options.maxMessage) {
      throw new SendError("too-large", `the message has ${size} bytes, and one frame takes ${this.#options.maxMessage}: split it, see chunks.js`);
    }
    const { messages, bytes } = this.#options.queue;
    const ready = this.#ready();
    const waiting = ready ? this.#current.bufferedAmount : this.#queuedBytes;
    if (waiting + size > bytes || this.#queue.length >= messages) {
      throw new SendError("queue-full", `${this.#queue.length} messages wait already, and ${waiting} bytes`);
    }
    if (ready) {
      this.#transmit(text);
    } else {
      this.#queue.push(text);
      this.#queuedBytes += size;
    }
  }

  /**
   * Ends the client for good. What waits for a connection is dropped. After the
   * event close, which comes before this returns, there is no other event.
   */
  close(code = 1000, reason = "") {
    if (code !== 1000 && !(code >= 3000 && code <= 4999)) {
      throw new RangeError(`a client may close with 1000 or 3000 to 4999, not with ${code}`);
    }
    this.#end({ code, reason, gaveUp: false });
  }

  // Connecting.

  async #dial() {
    if (this.#state === "closed" || this.#dialing) return;
    const attempt = { socket: null, timer: 0 };
    this.#dialing = attempt;
    attempt.timer = setTimeout(() => this.#failed(attempt, new Error("no connection in time")), this.#options.connectTimeout);
    try {
      const target = await this.#address();
      if (this.#dialing !== attempt) return;
      const { url, protocols = [] } = typeof target === "object" && !(target instanceof URL) ? target : { url: target };
      const socket = (attempt.socket = new this.#WebSocket(String(url), protocols));
      socket.binaryType = "arraybuffer";
      socket.onopen = () => this.#opened(attempt);
      // Some tell of a refused handshake by error alone, some by both.
      socket.onerror = () => this.#failed(attempt, new Error("the connection could not be opened"));
      socket.onclose = (event) => this.#failed(attempt, new Error(`the connection could not be opened (${event.code})`));
    } catch (error) {
      this.#failed(attempt, error);
    }
  }

  #failed(attempt, error) {
    if (this.#dialing !== attempt) return;
    this.#dialing = null;
    clearTimeout(attempt.timer);
    if (attempt.socket) discard(attempt.socket);
    this.#retryLater(error);
  }

  #opened(attempt) {
    if (this.#dialing !== attempt) return;
    this.#dialing = null;
    clearTimeout(attempt.timer);
    const link = attempt.socket;
    const before = this.#current;
    this.#current = link;
    link.onmessage = (event) => this.#heard(link, event.data);
    link.onerror = null; // close follows
    link.onclose = (event) => this.#lost(link, event.code, event.reason);
    this.#arm("stable", this.#options.backoff.stableAfter, () => (this.#failures = 0));
    this.#renewLater();
    this.#keepAliveLater();
    if (before) this.#retire(before);
    const waited = this.#queue;
    this.#queue = [];
    this.#queuedBytes = 0;
    for (const text of waited) this.#transmit(text);
    this.#enter("open");
    this.#tell("open", { renewed: before !== null });
  }

  #retryLater(error) {
    const { base, max, attempts } = this.#options.backoff;
    this.#failures++;
    if (!this.#current && this.#failures >= attempts) {
      this.#end({ code: 1006, reason: `gave up after ${this.#failures} attempts`, gaveUp: true, error });
      return;
    }
    const delay = this.#options.random() * Math.min(max, base * 2 ** Math.min(this.#failures - 1, 30));
    this.#arm("retry", delay, () => this.#retry());
    if (!this.#current) this.#enter("waiting");
    this.#tell("wait", { delay, attempt: this.#failures, error, renewing: this.#current !== null });
  }

  #retry() {
    this.#disarm("retry");
    if (!this.#current) this.#enter("connecting");
    this.#dial();
  }

  // While a connection is open.

  #heard(link, data) {
    if (link === this.#current) {
      this.#disarm("answer");
      this.#keepAliveLater();
    }
    this.dispatchEvent(new MessageEvent("message", { data }));
  }

  /** Whether there is a connection that is not about to end. */
  #ready() {
    return this.#current?.readyState === OPEN;
  }

  #transmit(text) {
    this.#current.send(text);
    this.#keepAliveLater();
  }

  #lost(link, code, reason) {
    clearTimeout(this.#retired.get(link));
    if (this.#retired.delete(link) || link !== this.#current) return;
    this.#current = null;
    if (!this.#timers.stable) this.#failures = 0; // of a renewal
    for (const name of ["renew", "keepAlive", "answer", "stable"]) this.#disarm(name);
    if (this.#dialing) this.#enter("connecting");
    this.#tell("lost", { code, reason });
    // A renewal that is under way, or waits, goes on as the next attempt.
    if (this.#state === "closed" || this.#dialing || this.#current) return;
    this.#disarm("retry");
    this.#retryLater(new Error(`the connection ended with ${code} ${reason}`.trim()));
  }

  #keepAliveLater() {
    const { keepAlive } = this.#options;
    if (keepAlive) this.#arm("keepAlive", keepAlive.every, () => this.#stayAlive(keepAlive));
  }

  #stayAlive({ message, answerWithin }) {
    const link = this.#current;
    if (this.#ready()) this.#transmit(message);
    if (!answerWithin) return;
    this.#arm("answer", answerWithin, () => {
      discard(link);
      this.#lost(link, 1006, "no answer to the keep-alive");
    });
  }

  #renewLater() {
    const { renew } = this.#options;
    // Clients that came together do not renew together.
    if (renew) this.#arm("renew", renew.after * (1 - 0.1 * this.#options.random()), () => this.#dial());
  }

  // A retired link is heard a little longer: what was posted to it meanwhile,
  // by those who do not know of the new one yet, arrives.
  #retire(link) {
    this.#retired.set(link, setTimeout(() => link.close(1000, "renewed"), this.#options.renew.overlap));
  }

  // The end.

  #end(detail) {
    if (this.#state === "closed") return;
    globalThis.removeEventListener?.("online", this.#hurry);
    for (const name of Object.keys(this.#timers)) this.#disarm(name);
    const { socket, timer } = this.#dialing ?? {};
    clearTimeout(timer);
    const links = [...this.#retired.keys(), ...(this.#current ? [this.#current] : [])];
    for (const overlap of this.#retired.values()) clearTimeout(overlap);
    this.#dialing = this.#current = null;
    this.#retired.clear();
    if (socket) discard(socket);
    for (const link of links) discard(link, detail.code === 1006 ? 1000 : detail.code, detail.reason);
    const dropped = this.#queue.length;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#enter("closed");
    this.#tell("close", { ...detail, dropped });
    this.#over = true;
  }

  #enter(state) {
    if (this.#state === state) return;
    const before = this.#state;
    this.#state = state;
    this.#tell("state", { state, before });
  }

  #tell(type, detail) {
    if (!this.#over) this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #arm(name, delay, act) {
    clearTimeout(this.#timers[name]);
    this.#timers[name] = setTimeout(() => {
      this.#timers[name] = 0;
      act();
    }, delay);
  }

  #disarm(name) {
    clearTimeout(this.#timers[name]);
    this.#timers[name] = 0;
  }
}

/** Lets go of a socket in whatever state it is; nothing is heard of it any more. */
function discard(socket, code = 1000, reason = "") {
  socket.onopen = socket.onmessage = socket.onclose = null;
  socket.onerror = () => {}; // the package ws throws an error that nobody hears
  socket.close(code, reason);
}

const encoder = new TextEncoder();

/** The bytes of a text in UTF-8. */
export function byteLength(text) {
  return encoder.encode(text).length;
}

/** Fills in the defaults and refuses what cannot be meant. */
function complete(options) {
  const o = { ...DEFAULTS, random: Math.random, ...options };
  for (const name of ["backoff", "keepAlive", "renew", "queue"]) {
    if (o[name] !== false) o[name] = { ...DEFAULTS[name], ...options[name] };
  }
  const numbers = { connectTimeout: o.connectTimeout, maxMessage: o.maxMessage };
  for (const name of ["backoff", "keepAlive", "renew", "queue"]) {
    for (const [key, value] of Object.entries(o[name])) {
      if (key !== "message") numbers[`${name}.${key}`] = value;
    }
  }
  for (const [name, value] of Object.entries(numbers)) {
    if (typeof value !== "number" || !(value >= 0)) throw new RangeError(`${name} is ${value}: it must be a number, 0 or more`);
  }
  if (o.backoff === false || o.queue === false) throw new RangeError("backoff and queue cannot be switched off");
  if (o.keepAlive && typeof o.keepAlive.message !== "string") throw new TypeError("keepAlive.message must be text");
  return o;
}
