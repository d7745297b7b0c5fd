// The Runtime API client for functions in JavaScript. Gatepost runs it with the
// machine's node: it loads the handler and then, one after the other, asks for
// an event, calls the handler with it and posts what came of it.

import { RuntimeAPI } from './api.mjs';
import { Invocation } from './invocation.mjs';
import { CallbackHandlerDeprecated, UnhandledPromiseRejection, describe } from './errors.mjs';
import { loadHandler, streams } from './load.mjs';
import { answerByStream, HttpResponseStream, streamifyResponse } from './stream.mjs';

const env = process.env;
const api = new RuntimeAPI(env.AWS_LAMBDA_RUNTIME_API);

// current is the invocation that has not been answered yet, or undefined.
let current;

// What is written to the log before an answer must be in the pipe before it.
for (const output of [process.stdout, process.stderr]) {
  output._handle?.setBlocking?.(true);
}

// Lambda's exit codes: 129 after an uncaught exception, 128 after a rejected
// promise that nobody handles.
process.on('uncaughtException', (error) => crash('Uncaught Exception', error, 129));
process.on('unhandledRejection', (reason, promise) =>
  crash('Unhandled Promise Rejection', new UnhandledPromiseRejection(reason, promise), 128));
process.on('beforeExit', () => current?.loopIsEmpty());

globalThis.awslambda = { streamifyResponse, HttpResponseStream };

let crashing = false;

async function crash(what, error, code) {
  console.error(what, error);
  if (crashing) process.exit(code);
  crashing = true;
  try {
    if (current) await api.fail(current.id, describe(error));
    else if (!ready) await api.failInit(describe(error));
  } finally {
    process.exit(code);
  }
}

let ready = false;

async function main() {
  const handler = await loadHandler(env.LAMBDA_TASK_ROOT, env._HANDLER);
  const node = Number(/nodejs(\d+)/.exec(env.AWS_EXECUTION_ENV ?? '')?.[1] ?? 0);
  const callbacks = node < 24;
  if (!callbacks && handler.length >= 3 && !streams(handler)) throw new CallbackHandlerDeprecated();
  ready = true;
  for (;;) await serve(await api.next(), handler, callbacks);
}

// serve deals with one event. It returns when its answer has been taken.
async function serve(event, handler, callbacks) {
  const invocation = new Invocation(event.headers);
  current = invocation;
  if (streams(handler)) {
    await answerByStream(api, invocation, handler, event.body);
  } else {
    await answer(invocation, await invocation.run(handler, event.body, callbacks));
  }
  current = undefined;
}

async function answer(invocation, outcome) {
  let body;
  let failure = outcome.failed ? outcome.error : undefined;
  if (!outcome.failed) {
    try {
      // undefined has no JSON, and neither have functions and symbols.
      body = JSON.stringify(outcome.result) ?? 'null';
    } catch (error) {
      console.error(error);
      failure = new Error('Unable to stringify response body');
    }
  }
  if (body !== undefined) {
    await api.succeed(invocation.id, body);
  } else {
    console.error('Invoke Error', failure);
    await api.fail(invocation.id, describe(failure));
  }
}

await main();
