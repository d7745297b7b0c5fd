// Leads the TLS connections that a Node.js program opens to hosts of AWS through
// Gatepost's HTTPS proxy. Node's own HTTPS knows no HTTPS_PROXY, and neither do
// the AWS SDKs for JavaScript. Gatepost puts this file into NODE_OPTIONS.
//
// Every HTTPS client of Node.js ends in tls.connect: https with any agent, fetch,
// undici, http2. So that is what is changed, and only for the hosts of
// GATEPOST_PROXIED; all others connect as ever.
'use strict';

const net = require('net');
const tls = require('tls');
const { Duplex } = require('stream');

const HTTPS = 443;
const MAX_HEAD = 16 * 1024; // bytes of the proxy's answer

// domains are the hosts, each with all below it; "*" is every host but this machine.
const domains = list(process.env.GATEPOST_PROXIED);
const exempt = list(process.env.NO_PROXY);
const everything = domains.includes('*');
const proxy = parse(process.env.HTTPS_PROXY);

function list(text) {
  return (text ?? '').toLowerCase().split(',').map((s) => s.trim()).filter(Boolean);
}

function parse(text) {
  try {
    const url = new URL(text);
    const user = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    return { host: url.hostname, port: Number(url.port), authorization: `Basic ${Buffer.from(user).toString('base64')}` };
  } catch {
    return undefined;
  }
}

function below(host, all) {
  return all.some((domain) => host === domain || host.endsWith(`.${domain}`));
}

function isProxied(host, port) {
  if (below(host, exempt)) return false;
  return everything || (port === HTTPS && below(host, domains));
}

// target is where the arguments of tls.connect lead, if that is ours.
function target(args) {
  const options = args.find((a) => a !== null && typeof a === 'object') ?? {};
  if (options.socket || options.path) return undefined;
  const [first, second] = args;
  const port = Number(typeof first === 'object' ? options.port : first);
  const host = String((typeof first !== 'object' && typeof second === 'string' ? second : options.host) ?? 'localhost').toLowerCase().replace(/\.$/, '');
  return isProxied(host, port) ? { options, host, port } : undefined;
}

// Tunnel is a connection through the proxy. What is written before the proxy has
// answered waits.
class Tunnel extends Duplex {
  constructor(host, port) {
    super();
    this.name = `${host}:${port}`;
    this.head = Buffer.alloc(0);
    this.waiting = undefined; // runs what waits for the proxy's answer
    this.open = false;
    this.raw = net.connect(proxy.port, proxy.host);
    this.raw.setNoDelay(true);
    this.raw.write(`CONNECT ${this.name} HTTP/1.1\r\nHost: ${this.name}\r\nProxy-Authorization: ${proxy.authorization}\r\n\r\n`);
    this.raw.on('data', (data) => this.receive(data));
    this.raw.on('end', () => (this.open ? this.push(null) : this.fail('it closed the connection')));
    this.raw.on('error', (error) => this.destroy(error));
    this.raw.on('close', () => this.destroy());
  }

  fail(why) {
    this.destroy(new Error(`Gatepost's proxy did not connect to ${this.name}: ${why}`));
  }

  receive(data) {
    if (this.open) {
      if (!this.push(data)) this.raw.pause();
      return;
    }
    this.head = Buffer.concat([this.head, data]);
    const end = this.head.indexOf('\r\n\r\n');
    if (end < 0) {
      if (this.head.length > MAX_HEAD) this.fail('its answer is too long');
      return;
    }
    const [, status, reason] = /^HTTP\/1\.1 (\d{3}) ?([^\r\n]*)/.exec(this.head.toString('latin1', 0, end)) ?? [];
    if (status !== '200') {
      this.fail(reason ?? 'its answer is no HTTP');
      return;
    }
    this.open = true;
    const early = this.head.subarray(end + 4);
    this.head = undefined;
    if (early.length > 0) this.push(early);
    this.waiting?.();
  }

  whenOpen(run) {
    if (this.open) run();
    else this.waiting = run;
  }

  _read() {
    if (this.open) this.raw.resume();
  }

  _write(chunk, encoding, callback) {
    this.whenOpen(() => this.raw.write(chunk, encoding, callback));
  }

  _final(callback) {
    this.whenOpen(() => this.raw.end(callback));
  }

  _destroy(error, callback) {
    this.raw.destroy();
    callback(error);
  }
}

function connectThrough({ options, host, port }, callback) {
  const tunnel = new Tunnel(host, port);
  const secure = connect.call(tls, { ...options, host, port, socket: tunnel, servername: options.servername ?? (net.isIP(host) ? '' : host) }, callback);
  tunnel.on('error', (error) => secure.destroy(error));
  // These are the socket's matters, which TLS over a stream does not pass on. An
  // idle connection that is not let go of would keep the event loop busy.
  for (const method of ['ref', 'unref', 'setKeepAlive', 'setNoDelay']) {
    const own = secure[method];
    secure[method] = function (...args) {
      tunnel.raw[method](...args);
      return own.apply(this, args);
    };
  }
  return secure;
}

const connect = tls.connect;

if (proxy && domains.length > 0) {
  tls.connect = function (...args) {
    const to = target(args);
    if (!to) return connect.apply(this, args);
    return connectThrough(to, args.find((a) => typeof a === 'function'));
  };
  require('module').syncBuiltinESMExports();
}
