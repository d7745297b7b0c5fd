// Handlers that write their response to a stream: awslambda.streamifyResponse.
// The caller gets it in one piece all the same.

import { InvalidStreamingOperation, describe } from './errors.mjs';

export function streamifyResponse(handler, options) {
  handler[Symbol.for('aws.lambda.runtime.handler.streaming')] = 'response';
  if (typeof options?.highWaterMark === 'number') {
    handler[Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark')] = Math.trunc(options.highWaterMark);
  }
  return handler;
}

// HttpResponseStream puts a status and headers before the body: JSON, then
// eight zero bytes.
export class HttpResponseStream {
  static from(stream, prelude) {
    stream.setContentType('application/vnd.awslambda.http-integration-response');
    stream._onBeforeFirstWrite = (write) => {
      write(JSON.stringify(prelude));
      write(new Uint8Array(8));
    };
    return stream;
  }
}

// answerByStream calls the handler with a stream that is the body of the
// answer. It is over when the stream is, which may be after the handler. A
// failure is told in the trailers, after what has been written.
export async function answerByStream(api, invocation, handler, body) {
  let taken;
  const answered = new Promise((resolve, reject) => {
    taken = openStream(api, invocation.id, resolve, reject);
  });
  answered.catch(() => {}); // it is waited for below
  try {
    const returned = handler(JSON.parse(body), taken, invocation.context());
    if (typeof returned?.then !== 'function') throw new Error('Streaming does not support non-async handlers.');
    if ((await returned) !== undefined) console.warn('Streaming handlers ignore return values.');
  } catch (error) {
    fail(taken, error);
  }
  await answered;
}

function fail(stream, error) {
  if (stream.writableEnded) return;
  console.error('Invoke Error', error);
  const payload = describe(error);
  stream.addTrailers({
    'Lambda-Runtime-Function-Error-Type': payload.errorType,
    'Lambda-Runtime-Function-Error-Body': Buffer.from(JSON.stringify(payload)).toString('base64'),
  });
  stream.end();
}

function openStream(api, id, resolve, reject) {
  const stream = api.open('POST', `/invocation/${id}/response`, {
    'Lambda-Runtime-Function-Response-Mode': 'streaming',
    'Content-Type': 'application/octet-stream',
    'Transfer-Encoding': 'chunked',
    Trailer: 'Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body',
  }, resolve, reject);
  const write = stream.write.bind(stream);
  const end = stream.end.bind(stream);
  let begun = false;
  stream.setContentType = (type) => {
    if (begun) throw new InvalidStreamingOperation('Cannot set content-type, too late.');
    stream.setHeader('Content-Type', type);
  };
  stream.write = (chunk, ...rest) => {
    if (!begun) {
      begun = true;
      stream._onBeforeFirstWrite?.(write);
    }
    const plain = typeof chunk === 'string' || chunk instanceof Uint8Array;
    return write(plain ? chunk : JSON.stringify(chunk), ...rest);
  };
  stream.end = (chunk, ...rest) => {
    if (typeof chunk === 'function') return end(chunk);
    if (chunk !== undefined && chunk !== null) stream.write(chunk);
    return end(...rest);
  };
  return stream;
}
