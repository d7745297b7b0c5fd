// Node's ws, driven line by line.
"use strict";
const fs = require("node:fs");
const readline = require("node:readline");
const WebSocket = require("ws");

const tell = (happening) => process.stdout.write(JSON.stringify(happening) + "\n");
let socket;

const orders = {
  open({ url, protocols, ca }) {
    let opened = false;
    let status = 0;
    socket = new WebSocket(url, protocols || [], { ca: fs.readFileSync(ca), perMessageDeflate: true, handshakeTimeout: 60_000 });
    socket.on("unexpected-response", (request, response) => {
      status = response.statusCode;
      request.destroy(new Error("refused"));
    });
    socket.on("open", () => {
      opened = true;
      tell({ event: "open", protocol: socket.protocol, extensions: socket.extensions });
    });
    socket.on("error", (error) => {
      if (!opened) tell({ event: "failed", status, text: error.message });
    });
    socket.on("message", (data, binary) => tell({ event: "message", text: data.toString(), binary }));
    socket.on("pong", (data) => tell({ event: "pong", text: data.toString() }));
    socket.on("close", (code, reason) => {
      if (opened) tell({ event: "closed", code, reason: reason.toString() });
    });
  },
  send: ({ text }) => socket.send(text),
  binary: ({ text }) => socket.send(Buffer.from(text)),
  ping: ({ text }) => socket.ping(text),
  close: ({ code, reason }) => (code ? socket.close(code, reason) : socket.close()),
  vanish: () => socket._socket.resetAndDestroy(),
  fragments({ text, size }) {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += size) {
      socket.send(bytes.subarray(at, at + size), { binary: false, fin: at + size >= bytes.length, compress: false });
    }
  },
};

readline.createInterface({ input: process.stdin })
  .on("line", (line) => { const order = JSON.parse(line); orders[order.do](order); })
  .on("close", () => process.exit());
