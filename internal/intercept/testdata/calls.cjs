// Calls a URL in every way that Node.js has and prints what comes back. The
// process must end by itself, with idle connections left open.
const https = require('node:https');
const tls = require('node:tls');

const url = process.argv[2];

function get(options) {
  return new Promise((resolve) => {
    https.get(url, options, (response) => {
      let text = '';
      response.on('data', (data) => (text += data));
      response.on('end', () => resolve(text));
    }).on('error', (error) => resolve(`error: ${error.message}`));
  });
}

function post(agent, body) {
  return new Promise((resolve) => {
    const request = https.request(url, { method: 'POST', agent }, (response) => {
      let text = '';
      response.on('data', (data) => (text += data));
      response.on('end', () => resolve(text));
    });
    request.on('error', (error) => resolve(`error: ${error.message}`));
    request.end(body);
  });
}

function byPort() {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = tls.connect(Number(port) || 443, hostname, () => {
      resolve(`authorized ${socket.authorized}`);
      socket.end();
    });
    socket.on('error', (error) => resolve(`error: ${error.message}`));
  });
}

async function main() {
  const keep = new https.Agent({ keepAlive: true });
  console.log('plain', await get({}));
  console.log('no agent', await get({ agent: false }));
  console.log('kept', await get({ agent: keep }), await get({ agent: keep }));
  const large = 'x'.repeat(300_000);
  console.log('large', (await post(keep, large)).length);
  console.log('fetch', await fetch(url).then((r) => r.text(), (error) => `error: ${error.cause?.message}`));
  console.log('tls', await byPort());
}

main();
