// The WebSocket of the WHATWG standard, driven by orders. It cannot ping, cut a
// message into frames, or see the status of a handshake that failed.
function standardPeer(tell) {
  let socket;
  const orders = {
    open({ url, protocols }) {
      let opened = false;
      let failed = false;
      const fail = () => {
        if (!opened && !failed) tell({ event: "failed", status: -1 });
        failed = true;
      };
      socket = new WebSocket(url, protocols || []);
      socket.binaryType = "arraybuffer";
      socket.onopen = () => {
        opened = true;
        tell({ event: "open", protocol: socket.protocol, extensions: socket.extensions });
      };
      socket.onmessage = ({ data }) => {
        const binary = typeof data !== "string";
        tell({ event: "message", binary, text: binary ? new TextDecoder().decode(data) : data });
      };
      // Node 20 tells of a handshake that failed by error alone.
      socket.onerror = fail;
      socket.onclose = ({ code, reason }) => (opened ? tell({ event: "closed", code, reason }) : fail());
    },
    send: ({ text }) => socket.send(text),
    binary: ({ text }) => socket.send(new TextEncoder().encode(text)),
    close: ({ code, reason }) => (code ? socket.close(code, reason) : socket.close()),
  };
  return (order) => orders[order.do](order);
}
if (typeof module !== "undefined") module.exports = { standardPeer };
