// Leaves an idle connection behind and prints what still keeps the process alive.
const https = require('node:https');

const agent = new https.Agent({ keepAlive: true });
agent.once('free', () => {
  setImmediate(() => console.log('busy with', process.getActiveResourcesInfo().filter((what) => what === 'TCPSocketWrap').length, 'sockets'));
});
https.get(process.argv[2], { agent }, (response) => response.resume());
