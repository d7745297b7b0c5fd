import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { byteLength } from "./client.js";
import { ChunkError, Joiner, MAX_CHUNKS, split } from "./chunks.js";

// The Go client is held to the same cases.
for (const { name, maxMessage, frames, joined, fails } of JSON.parse(readFileSync(new URL("../testdata/chunks.json", import.meta.url)))) {
  test(`joined: ${name}`, () => {
    const joiner = new Joiner({ maxMessage });
    const join = () => frames.map((frame) => joiner.add(frame)).filter((text) => text !== null);
    if (fails) assert.throws(join, ChunkError);
    else assert.deepEqual(join(), joined);
  });
}

test("a message that fits one frame is left as it is", () => {
  const text = "x".repeat(32768);
  assert.deepEqual(split(text), [text]);
});

test("every frame keeps to its size, whatever is in the message, and all is joined again", () => {
  const parts = ["plain ", '"\\', "\u0001\n\u007f", "é", "€", "😀", "\u2028", "\ud800", "日本語"];
  for (const part of parts) {
    const text = part.repeat(Math.floor(100_000 / byteLength(part)));
    const frames = split(text, { action: "say" });
    assert.ok(frames.length > 3);
    const joiner = new Joiner();
    let whole = null;
    for (const frame of frames) {
      assert.ok(byteLength(frame) <= 32768, `${byteLength(frame)} bytes of ${JSON.stringify(part)}`);
      assert.equal(JSON.parse(frame).action, "say");
      assert.equal(whole, null);
      whole = joiner.add(frame);
    }
    assert.equal(whole, text.replaceAll("\ud800", "\ufffd"));
  }
});

test("frames are well filled", () => {
  const frames = split("x".repeat(128 * 1024));
  assert.equal(frames.length, 5);
  assert.ok(byteLength(frames[0]) > 32700);
});

test("what cannot be split is refused", () => {
  assert.throws(() => split("x".repeat(128 * 1024 + 1)), ChunkError);
  assert.throws(() => split("xxxx".repeat(100), { maxFrame: 20 }), ChunkError);
  assert.throws(() => split("x".repeat(50_000), { id: "y".repeat(65) }), ChunkError);
  assert.throws(() => split("x".repeat(20 * MAX_CHUNKS), { id: "y", maxFrame: 80 }), ChunkError);
});

test("past its bound the joiner forgets the oldest message", () => {
  const joiner = new Joiner({ maxMessages: 2 });
  const chunk = (id, index) => JSON.stringify({ chunk: { id, index, count: 2 }, data: id });
  for (const id of ["a", "b", "c"]) joiner.add(chunk(id, 0));
  assert.equal(joiner.add(chunk("b", 1)), "bb");
  assert.equal(joiner.add(chunk("c", 1)), "cc");
  assert.equal(joiner.add(chunk("a", 1)), null);
});

test("a message that stays incomplete is forgotten in time", (t) => {
  let now = 0;
  t.mock.method(performance, "now", () => now);
  const joiner = new Joiner({ maxAge: 1000 });
  const chunk = (index) => JSON.stringify({ chunk: { id: "m", index, count: 2 }, data: "x" });
  joiner.add(chunk(0));
  now = 1001;
  assert.equal(joiner.add(chunk(1)), null);
  assert.equal(joiner.add(chunk(0)), "xx");
});
