import assert from "node:assert/strict";
import { test, mock, beforeEach, afterEach } from "node:test";
import { Client, DEFAULTS, SendError } from "./client.js";

const SECOND = 1000;
const MINUTE = 60 * SECOND;

/** A WebSocket whose other side is the test. */
class FakeSocket {
  static all = [];
  readyState = 0;
  bufferedAmount = 0;
  sent = [];
  constructor(url, protocols) {
    Object.assign(this, { url, protocols });
    FakeSocket.all.push(this);
  }
  accept() {
    this.readyState = 1;
    this.onopen?.({});
  }
  refuse() {
    this.readyState = 3;
    this.onerror?.({});
    this.onclose?.({ code: 1006, reason: "" });
  }
  post(data) {
    this.onmessage?.({ data });
  }
  end(code = 1001, reason = "Going away") {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }
  send(text) {
    assert.equal(this.readyState, 1);
    this.sent.push(text);
  }
  close(code, reason) {
    this.readyState = 2;
    this.closedWith = { code, reason };
  }
}

beforeEach(() => {
  FakeSocket.all = [];
  mock.timers.enable({ apis: ["setTimeout"] });
});
afterEach(() => mock.timers.reset());

/** Lets microtasks run; timers stand still. */
const settle = () => new Promise((resolve) => setImmediate(resolve));
const last = () => FakeSocket.all.at(-1);

async function pass(time) {
  mock.timers.tick(time);
  await settle();
}

/** A client with the events that it has told, and random numbers of one half. */
async function begin(options = {}, address = "ws://shop/main") {
  const client = new Client(address, { WebSocket: FakeSocket, random: () => 0.5, ...options });
  const told = [];
  for (const type of ["state", "open", "lost", "wait", "close"]) {
    client.addEventListener(type, ({ detail }) => told.push({ type, ...detail }));
  }
  client.addEventListener("message", ({ data }) => told.push({ type: "message", data }));
  await settle();
  return { client, told };
}

async function beginOpen(options) {
  const started = await begin(options);
  last().accept();
  started.told.length = 0;
  return started;
}

const only = (told, type) => told.filter((event) => event.type === type);

test("it connects, tells so, and hears", async () => {
  const { client, told } = await begin();
  assert.equal(client.state, "connecting");
  last().accept();
  last().post("hello");
  assert.deepEqual(told, [
    { type: "state", state: "open", before: "connecting" },
    { type: "open", renewed: false },
    { type: "message", data: "hello" },
  ]);
});

test("the wait doubles with each failure up to its maximum", async () => {
  const { told } = await begin({ backoff: { base: SECOND, max: 10 * SECOND } });
  for (const wait of [500, 1000, 2000, 4000, 5000, 5000]) {
    const before = FakeSocket.all.length;
    last().refuse();
    assert.equal(told.at(-1).delay, wait);
    await pass(wait - 1);
    assert.equal(FakeSocket.all.length, before, "not before its time");
    await pass(1);
    assert.equal(FakeSocket.all.length, before + 1);
  }
});

test("the address is asked for anew at each connection", async () => {
  let tokens = 0;
  await begin({}, async () => ({ url: `ws://shop/main?token=${++tokens}`, protocols: ["v1"] }));
  last().refuse();
  await pass(MINUTE);
  assert.deepEqual(FakeSocket.all.map(({ url }) => url), ["ws://shop/main?token=1", "ws://shop/main?token=2"]);
  assert.deepEqual(last().protocols, ["v1"]);
});

test("an address that cannot be had is a failed attempt", async () => {
  const problem = new Error("no token");
  const { told } = await begin({}, () => Promise.reject(problem));
  assert.equal(FakeSocket.all.length, 0);
  assert.equal(only(told, "wait")[0].error, problem);
});

test("an attempt that takes too long is given up, its address included", async () => {
  const { client } = await begin({ connectTimeout: 5 * SECOND }, () => new Promise(() => {}));
  await pass(5 * SECOND);
  assert.equal(client.state, "waiting");
});

test("a handshake that hangs is given up, and its late success is not heard", async () => {
  const { client, told } = await begin();
  const late = last();
  await pass(DEFAULTS.connectTimeout);
  assert.equal(client.state, "waiting");
  assert.ok(late.closedWith);
  late.accept();
  assert.equal(only(told, "open").length, 0);
});

test("after the last attempt it closes", async () => {
  const { client, told } = await begin({ backoff: { attempts: 2 } });
  last().refuse();
  await pass(MINUTE);
  last().refuse();
  assert.equal(client.state, "closed");
  assert.equal(told.at(-1).gaveUp, true);
  assert.throws(() => client.send("x"), { code: "closed" });
});

test("a connection that lasts ends the row of failures, a short one does not", async () => {
  const { told } = await beginOpen();
  last().end();
  await pass(500);
  last().accept();
  last().end();
  await pass(1000);
  last().accept();
  await pass(DEFAULTS.backoff.stableAfter);
  last().end();
  assert.deepEqual(only(told, "wait").map(({ attempt }) => attempt), [1, 2, 1]);
});

test("what is sent while there is no connection goes out first, in its order", async () => {
  const { client } = await begin();
  client.send("1");
  client.send("2");
  client.addEventListener("open", () => client.send("3"));
  last().accept();
  assert.deepEqual(last().sent, ["1", "2", "3"]);
  assert.equal(client.queued, 0);
});

test("the queue is bounded in messages and in bytes", async () => {
  const { client } = await begin({ queue: { messages: 2, bytes: 10 } });
  client.send("12345678");
  assert.throws(() => client.send("€"), (error) => error instanceof SendError && error.code === "queue-full");
  client.send("x");
  assert.throws(() => client.send("y"), { code: "queue-full" });
  last().accept();
  last().bufferedAmount = 10;
  assert.throws(() => client.send("z"), { code: "queue-full" });
});

test("a message that one frame cannot hold is refused, and so is what is no text", async () => {
  const { client } = await beginOpen();
  client.send("x".repeat(32768));
  assert.throws(() => client.send("x".repeat(32766) + "€"), { code: "too-large" });
  assert.throws(() => client.send(new Uint8Array(1)), TypeError);
});

test("what is sent to a connection that is closing waits for the next one", async () => {
  const { client } = await beginOpen();
  last().readyState = 2;
  client.send("kept");
  last().end();
  await pass(MINUTE);
  last().accept();
  assert.deepEqual(last().sent, ["kept"]);
});

test("nothing passes: the keep-alive; anything passes: none", async () => {
  const { client } = await beginOpen();
  await pass(7 * MINUTE);
  client.send("mine");
  await pass(7 * MINUTE);
  last().post("theirs");
  await pass(8 * MINUTE - 1);
  assert.deepEqual(last().sent, ["mine"]);
  await pass(1);
  await pass(8 * MINUTE);
  assert.deepEqual(last().sent, ["mine", DEFAULTS.keepAlive.message, DEFAULTS.keepAlive.message]);
});

test("a connection that does not answer the keep-alive is replaced", async () => {
  const { client, told } = await beginOpen({ keepAlive: { every: MINUTE, answerWithin: SECOND, message: "?" } });
  await pass(MINUTE);
  last().post("!");
  await pass(MINUTE);
  assert.deepEqual(last().sent, ["?", "?"]);
  await pass(SECOND - 1);
  assert.equal(client.state, "open");
  const dead = last();
  await pass(1);
  assert.equal(only(told, "lost")[0].reason, "no answer to the keep-alive");
  assert.ok(dead.closedWith);
  assert.equal(client.state, "waiting");
});

test("the new connection is open before the old one is closed", async () => {
  const { client, told } = await beginOpen({ keepAlive: false, renew: { after: 100 * MINUTE, overlap: 5 * SECOND } });
  const old = last();
  await pass(95 * MINUTE); // with a random half of a tenth taken off
  const fresh = last();
  assert.notEqual(fresh, old);
  client.send("still to the old one");
  fresh.accept();
  client.send("to the new one");
  old.post("late");
  fresh.post("early");
  await pass(5 * SECOND - 1);
  assert.equal(old.closedWith, undefined);
  await pass(1);
  assert.deepEqual(old.closedWith, { code: 1000, reason: "renewed" });
  old.end(1000);
  assert.deepEqual([old.sent, fresh.sent], [["still to the old one"], ["to the new one"]]);
  assert.deepEqual(told, [
    { type: "open", renewed: true },
    { type: "message", data: "late" },
    { type: "message", data: "early" },
  ]);
  assert.equal(client.state, "open");
});

test("a renewal that fails is tried again while the old connection goes on", async () => {
  const { client, told } = await beginOpen({ keepAlive: false, backoff: { attempts: 1 } });
  const old = last();
  await pass(DEFAULTS.renew.after);
  last().refuse();
  assert.equal(client.state, "open");
  assert.deepEqual(only(told, "wait").map(({ renewing }) => renewing), [true]);
  await pass(MINUTE);
  old.post("still heard");
  last().accept();
  assert.equal(only(told, "open")[0].renewed, true);
  assert.equal(only(told, "message").length, 1);
});

test("failures of a renewal do not count once the old connection is lost", async () => {
  const { told } = await beginOpen({ keepAlive: false });
  const old = last();
  await pass(DEFAULTS.renew.after);
  for (let i = 0; i < 4; i++) {
    last().refuse();
    await pass(MINUTE);
  }
  last().refuse();
  old.end();
  assert.deepEqual(only(told, "wait").map(({ attempt }) => attempt), [1, 2, 3, 4, 5, 1]);
});

test("the old connection is lost during a renewal: the renewal becomes the next attempt", async () => {
  const { client, told } = await beginOpen({ keepAlive: false });
  const old = last();
  await pass(DEFAULTS.renew.after);
  old.end();
  assert.equal(client.state, "connecting");
  last().accept();
  assert.equal(FakeSocket.all.length, 2);
  assert.deepEqual(told.map(({ type }) => type), ["state", "lost", "state", "open"]);
  assert.equal(told.at(-1).renewed, false);
});

test("close is final: no socket, timer or event is left", async () => {
  const { client, told } = await beginOpen({ renew: { after: MINUTE, overlap: MINUTE } });
  await pass(MINUTE);
  const [old, fresh] = FakeSocket.all;
  fresh.accept();
  client.close(4000, "bye");
  assert.deepEqual([old.closedWith, fresh.closedWith], [{ code: 4000, reason: "bye" }, { code: 4000, reason: "bye" }]);
  assert.deepEqual(told.at(-1), { type: "close", code: 4000, reason: "bye", gaveUp: false, dropped: 0 });
  const count = told.length;
  fresh.post("late");
  fresh.end();
  client.close();
  await pass(24 * 60 * MINUTE);
  assert.equal(told.length, count);
  assert.equal(FakeSocket.all.length, 2);
});

test("close while it connects, and while it waits", async () => {
  for (const until of [() => {}, () => last().refuse()]) {
    const { client, told } = await begin();
    client.send("never");
    until();
    const made = FakeSocket.all.length;
    client.close();
    await pass(10 * MINUTE);
    assert.equal(FakeSocket.all.length, made);
    assert.equal(told.at(-1).dropped, 1);
  }
});

test("close while the address is awaited: no socket is made", async () => {
  let give;
  const { client } = await begin({}, () => new Promise((resolve) => (give = resolve)));
  client.close();
  give("ws://shop/main");
  await settle();
  assert.equal(FakeSocket.all.length, 0);
});

test("close in a listener ends the events at once", async () => {
  const { client, told } = await beginOpen();
  client.addEventListener("state", () => client.close(), { once: true });
  last().end();
  await pass(MINUTE);
  assert.equal(told.at(-1).type, "close");
  assert.equal(FakeSocket.all.length, 1);
});

test("a browser that is online again does not wait any longer", async (t) => {
  const listeners = new Set();
  globalThis.addEventListener = (type, listener) => type === "online" && listeners.add(listener);
  globalThis.removeEventListener = (type, listener) => listeners.delete(listener);
  t.after(() => delete globalThis.addEventListener && delete globalThis.removeEventListener);
  const { client } = await begin();
  last().refuse();
  for (const online of listeners) online();
  await settle();
  assert.equal(FakeSocket.all.length, 2);
  last().accept();
  for (const online of listeners) online();
  await settle();
  assert.equal(FakeSocket.all.length, 2, "an open one is left alone");
  client.close();
  assert.equal(listeners.size, 0);
});

test("options that cannot be meant are refused", () => {
  for (const options of [{ backoff: { base: -1 } }, { queue: { messages: "many" } }, { keepAlive: { every: NaN } }, { backoff: false }]) {
    assert.throws(() => new Client("ws://x", { WebSocket: FakeSocket, ...options }), RangeError);
  }
  assert.throws(() => new Client("ws://x", { WebSocket: 1 }), TypeError);
});
