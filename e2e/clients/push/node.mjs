// push/client/js in Node, with the WebSocket of the package ws, or Node's own when
// WS_MODULES says no folder; driven line by line.
import { createRequire } from "node:module";
import readline from "node:readline";
import { Client } from "../../../push/client/js/client.js";
import { drive } from "./drive.mjs";

const modules = process.env.WS_MODULES;
const WebSocket = modules ? createRequire(modules + "/")("ws") : globalThis.WebSocket;
const act = drive(Client, WebSocket, (happening) => process.stdout.write(JSON.stringify(happening) + "\n"));
readline.createInterface({ input: process.stdin })
  .on("line", (line) => act(JSON.parse(line)))
  .on("close", () => process.exit());
