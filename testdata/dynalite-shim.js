// Stands in the place of dynalite's server when its test suite runs against
// Gatepost: whatever address the suite listens on leads to GATEPOST_PORT.
const net = require("node:net");

module.exports = function () {
  const server = net.createServer((client) => {
    const gatepost = net.connect(Number(process.env.GATEPOST_PORT), "127.0.0.1");
    client.pipe(gatepost).pipe(client);
    for (const socket of [client, gatepost]) {
      socket.on("error", () => { client.destroy(); gatepost.destroy(); });
      socket.setNoDelay(true);
    }
  });
  const close = server.close;
  server.close = function (done) {
    close.call(server, () => done && done());
    return server;
  };
  return server;
};
