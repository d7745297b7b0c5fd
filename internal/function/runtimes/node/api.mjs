// The client's side of the Runtime API (version 2018-06-01).

import http from 'node:http';

// Functions patch these, to trace or to redirect what they call.
const { request, Agent } = http;

const version = '/2018-06-01/runtime';

export class RuntimeAPI {
  constructor(address) {
    const at = address.lastIndexOf(':');
    this.where = { host: address.slice(0, at), port: Number(address.slice(at + 1)) };
    // A free socket of this agent does not keep the event loop from being empty.
    this.agent = new Agent({ keepAlive: true });
  }

  // next waits for an event: {headers, body}, the body as text.
  async next() {
    const { headers, body } = await this.exchange('GET', '/invocation/next', {});
    return { headers, body };
  }

  succeed(id, body) {
    return this.post(`/invocation/${id}/response`, body, {});
  }

  fail(id, error) {
    return this.post(`/invocation/${id}/error`, JSON.stringify(error), typeHeader(error));
  }

  failInit(error) {
    return this.post('/init/error', JSON.stringify(error), typeHeader(error));
  }

  post(path, text, headers) {
    const body = Buffer.from(text);
    return this.exchange('POST', path, { 'Content-Type': 'application/json', 'Content-Length': body.length, ...headers }, body);
  }

  // exchange sends a request and reads its answer. What the Runtime API refuses
  // is said in the log: it has dealt with the event then.
  exchange(method, path, headers, body) {
    return new Promise((resolve, reject) => {
      this.open(method, path, headers, resolve, reject).end(body);
    });
  }

  // open returns a request whose body is still to be written.
  open(method, path, headers, resolve, reject) {
    const r = request({ ...this.where, agent: this.agent, method, path: version + path, headers }, (answer) => {
      const chunks = [];
      answer.on('data', (chunk) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        if (answer.statusCode < 300) return resolve({ headers: answer.headers, body: text });
        if (method === 'GET') return reject(new Error(`the Runtime API answered ${answer.statusCode} ${text}`));
        console.error(`the Runtime API refused ${path}: ${text}`);
        resolve({ headers: answer.headers, body: text });
      });
    });
    r.setNoDelay(true);
    r.on('error', reject);
    return r;
  }
}

// typeHeader leaves out a type that no header can carry: it is in the body too.
function typeHeader(error) {
  return /^[\x20-\x7e]{1,256}$/.test(error.errorType ?? '') ? { 'Lambda-Runtime-Function-Error-Type': error.errorType } : {};
}
