// push/client/js, driven by orders: options go by the names that the tests use
// for the Go client too. Runs in a page and in Node.
export function drive(Client, WebSocket, tell) {
  let client;
  const orders = {
    start({ url, text }) {
      const urls = url.split(" ");
      const o = JSON.parse(text);
      let calls = 0;
      client = new Client(() => urls[Math.min(calls++, urls.length - 1)], {
        WebSocket,
        backoff: { base: o.base, max: o.max },
        keepAlive: o.every ? { every: o.every, message: o.message } : false,
        renew: o.renew ? { after: o.renew, overlap: o.overlap } : false,
      });
      client.addEventListener("open", ({ detail }) => tell({ event: "open", text: detail.renewed ? "renewed" : "" }));
      client.addEventListener("message", ({ data }) => tell({ event: "message", text: data }));
      client.addEventListener("lost", ({ detail }) => tell({ event: "lost", code: detail.code, reason: detail.reason }));
      client.addEventListener("wait", ({ detail }) => tell({ event: "wait", text: detail.renewing ? "renewing" : "" }));
      client.addEventListener("close", ({ detail }) => tell({ event: "close", code: detail.code }));
    },
    send: ({ text }) => client.send(text),
    close: () => client.close(),
  };
  return (order) => orders[order.do](order);
}
