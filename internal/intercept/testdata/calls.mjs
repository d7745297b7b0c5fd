// The same from an ES module, with names that are bound when it is loaded.
import https, { get } from 'node:https';
import { connect } from 'node:tls';

const url = process.argv[2];

const call = (client) => new Promise((resolve) => {
  client(url, (response) => {
    let text = '';
    response.on('data', (data) => (text += data));
    response.on('end', () => resolve(text));
  }).on('error', (error) => resolve(`error: ${error.message}`));
});

console.log('default', await call(https.get));
console.log('named', await call(get));
console.log('fetch', await (await fetch(url)).text());
console.log('tls', await new Promise((resolve) => {
  const socket = connect({ host: new URL(url).hostname, port: 443 }, () => { resolve(`authorized ${socket.authorized}`); socket.end(); });
  socket.on('error', (error) => resolve(`error: ${error.message}`));
}));
