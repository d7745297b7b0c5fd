// One event, its context object, and how the handler ends it: with a promise,
// with the callback, with context.done and its like, with an exception, or by
// leaving nothing to wait for.

import { NodeJsExit } from './errors.mjs';

const env = process.env;
const AsyncFunction = (async () => {}).constructor;

export class Invocation {
  constructor(headers) {
    this.headers = headers;
    this.id = headers['lambda-runtime-aws-request-id'];
    // Called when the event loop is empty and nothing has ended the invocation.
    this.whenIdle = () => {};
    const trace = headers['lambda-runtime-trace-id'];
    if (trace) env._X_AMZN_TRACE_ID = trace;
    else delete env._X_AMZN_TRACE_ID;
  }

  loopIsEmpty() {
    this.whenIdle();
  }

  // context returns the object that the handler gets.
  context() {
    const deadline = Number(this.headers['lambda-runtime-deadline-ms']);
    return {
      functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
      functionName: env.AWS_LAMBDA_FUNCTION_NAME,
      memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
      logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
      logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
      clientContext: this.json('lambda-runtime-client-context'),
      identity: this.json('lambda-runtime-cognito-identity'),
      invokedFunctionArn: this.headers['lambda-runtime-invoked-function-arn'],
      awsRequestId: this.id,
      getRemainingTimeInMillis: () => deadline - Date.now(),
    };
  }

  json(header) {
    return this.headers[header] === undefined ? undefined : JSON.parse(this.headers[header]);
  }

  // run calls the handler and returns {failed: false, result} or {failed: true,
  // error}. The first word of the handler counts.
  run(handler, body, callbacks) {
    return new Promise((resolve) => {
      const succeed = (result) => resolve({ failed: false, result });
      const fail = (error) => resolve({ failed: true, error });
      try {
        const event = JSON.parse(body);
        const returned = callbacks
          ? this.runWithCallbacks(handler, event, succeed, fail)
          : this.runPlainly(handler, event, fail);
        if (typeof returned?.then === 'function') returned.then(succeed, fail);
        else if (!callbacks) succeed(returned);
      } catch (error) {
        fail(error);
      }
    });
  }

  // runPlainly is how Node.js 24 and later do it: what is returned counts.
  runPlainly(handler, event, fail) {
    this.whenIdle = () => fail(new NodeJsExit());
    return handler(event, this.context());
  }

  // runWithCallbacks is how Node.js 22 and earlier do it: a result that is no
  // promise means nothing, and the callback's is held back until the event loop
  // is empty, unless the handler says otherwise.
  runWithCallbacks(handler, event, succeed, fail) {
    this.whenIdle = () => {
      if (handler instanceof AsyncFunction) fail(new NodeJsExit());
      else succeed(null);
    };
    let ended = false;
    const once = (end) => (...args) => {
      if (ended) return;
      ended = true;
      end(...args);
    };
    const failed = (error) => error !== undefined && error !== null;
    const done = once((error, result) => (failed(error) ? fail(error) : succeed(result)));
    const context = Object.assign(this.context(), {
      callbackWaitsForEmptyEventLoop: true,
      done,
      succeed: (result) => done(null, result),
      fail: (error) => done(failed(error) ? error : 'handled'),
    });
    const callback = once((error, result) => {
      if (failed(error)) fail(error);
      else if (!context.callbackWaitsForEmptyEventLoop) succeed(result);
      else this.whenIdle = () => succeed(result);
    });
    return handler(event, context, callback);
  }
}
