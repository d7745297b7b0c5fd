// Messages that are larger than a frame, in several: ../README.md has the format.

import { MAX_FRAME, byteLength } from "./client.js";

/** The largest message that is split and joined unless told otherwise, in bytes. */
export const MAX_MESSAGE = 128 * 1024;

/** The most chunks of one message. */
export const MAX_CHUNKS = 1024;

const MAX_ID = 64;

/** Why chunks cannot be made or joined. */
export class ChunkError extends Error {
  constructor(message) {
    super(message);
    this.name = "ChunkError";
  }
}

/**
 * Splits a message into frames of at most maxFrame bytes, to be sent one after
 * the other. One that fits is returned as it is.
 *
 * @param {string} text the message
 * @param {{action?: string, id?: string, maxFrame?: number, maxMessage?: number}} [options]
 *   action chooses the route of each chunk, as it does for any message
 * @returns {string[]}
 */
export function split(text, { action = "chunk", id = crypto.randomUUID(), maxFrame = MAX_FRAME, maxMessage = MAX_MESSAGE } = {}) {
  const size = byteLength(text);
  if (size > maxMessage) throw new ChunkError(`the message has ${size} bytes, more than ${maxMessage}`);
  if (id === "" || id.length > MAX_ID) throw new ChunkError(`the id of a message has 1 to ${MAX_ID} characters`);
  if (size <= maxFrame) return [text];
  const room = maxFrame - byteLength(frame(action, id, MAX_CHUNKS, MAX_CHUNKS, ""));
  if (room < 6) throw new ChunkError(`a frame of ${maxFrame} bytes has no room for a chunk`);
  const pieces = cut(text, room);
  if (pieces.length > MAX_CHUNKS) throw new ChunkError(`the message takes ${pieces.length} chunks, more than ${MAX_CHUNKS}`);
  return pieces.map((piece, index) => frame(action, id, index, pieces.length, piece));
}

function frame(action, id, index, count, data) {
  return JSON.stringify({ action, chunk: { id, index, count }, data });
}

/** Cuts between characters so that each piece takes at most room bytes in JSON. */
function cut(text, room) {
  const pieces = [];
  let begin = 0;
  let used = 0;
  let at = 0;
  text = text.replace(LONE_SURROGATE, "\uFFFD"); // as a WebSocket would
  for (const character of text) {
    const bytes = bytesInJSON(character);
    if (used + bytes > room) {
      pieces.push(text.slice(begin, at));
      begin = at;
      used = 0;
    }
    used += bytes;
    at += character.length;
  }
  pieces.push(text.slice(begin));
  return pieces;
}

function bytesInJSON(character) {
  const code = character.codePointAt(0);
  if (code < 0x20 || character === '"' || character === "\\") return JSON.stringify(character).length - 2;
  return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

const LONE_SURROGATE = /\p{Surrogate}/gu;

/**
 * Joins what split has made. Chunks may come in any order, more than once, and
 * between those of other messages. Use one for each connection that is heard,
 * or for each sender.
 */
export class Joiner {
  #limits;
  #messages = new Map(); // by id, the oldest first

  /**
   * @param {{maxMessage?: number, maxMessages?: number, maxAge?: number}} [limits]
   *   maxMessages are joined at once, past which the oldest is dropped; one that
   *   is not whole maxAge milliseconds after its first chunk is dropped too
   */
  constructor({ maxMessage = MAX_MESSAGE, maxMessages = 16, maxAge = 60_000 } = {}) {
    this.#limits = { maxMessage, maxMessages, maxAge };
  }

  /**
   * Takes a frame and returns the message that it completes, or null. A frame
   * that is no chunk is returned as it is.
   *
   * @param {string} text
   * @returns {string | null}
   * @throws {ChunkError} for a chunk that cannot be one of its message, which is
   *   dropped as a whole
   */
  add(text) {
    const chunk = parse(text);
    if (!chunk) return text;
    this.#forgetOld();
    const message = this.#messages.get(chunk.id) ?? this.#begin(chunk);
    try {
      this.#put(message, chunk);
    } catch (error) {
      this.#messages.delete(chunk.id);
      throw error;
    }
    if (message.missing > 0) return null;
    this.#messages.delete(chunk.id);
    return message.pieces.join("");
  }

  #begin({ id, count }) {
    if (this.#messages.size >= this.#limits.maxMessages) {
      this.#messages.delete(this.#messages.keys().next().value);
    }
    const message = { count, missing: count, bytes: 0, pieces: [], begun: performance.now() };
    this.#messages.set(id, message);
    return message;
  }

  #put(message, { id, index, count, data }) {
    if (count !== message.count || index >= count) {
      throw new ChunkError(`chunk ${index} of ${count} does not belong to message ${id} of ${message.count}`);
    }
    if (message.pieces[index] !== undefined) return; // it has come before
    message.bytes += byteLength(data);
    if (message.bytes > this.#limits.maxMessage) {
      throw new ChunkError(`message ${id} has more than ${this.#limits.maxMessage} bytes`);
    }
    message.pieces[index] = data;
    message.missing--;
  }

  #forgetOld() {
    const oldest = performance.now() - this.#limits.maxAge;
    for (const [id, message] of this.#messages) {
      if (message.begun > oldest) break;
      this.#messages.delete(id);
    }
  }
}

/** The chunk in a frame, or null for any other message. */
function parse(text) {
  if (!text.includes('"chunk"')) return null;
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const chunk = value?.chunk;
  const { id, index, count } = chunk ?? {};
  if (typeof id !== "string" || !Number.isInteger(index) || !Number.isInteger(count) || typeof value.data !== "string") return null;
  if (id === "" || id.length > MAX_ID || index < 0 || count < 1 || count > MAX_CHUNKS) {
    throw new ChunkError(`chunk ${index} of ${count} cannot be: a message has an id of 1 to ${MAX_ID} characters and 1 to ${MAX_CHUNKS} chunks`);
  }
  return { id, index, count, data: value.data };
}
