// Node's own WebSocket (undici), driven line by line.
"use strict";
const readline = require("node:readline");
const { standardPeer } = require("./standard.js");

const act = standardPeer((happening) => process.stdout.write(JSON.stringify(happening) + "\n"));
readline.createInterface({ input: process.stdin })
  .on("line", (line) => act(JSON.parse(line)))
  .on("close", () => process.exit());
