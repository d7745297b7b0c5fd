"""Python's websockets, driven line by line."""
import asyncio
import json
import ssl
import sys

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatusCode
from websockets.legacy.client import connect


def tell(event, **more):
    print(json.dumps({"event": event, **more}), flush=True)


class Peer:
    socket = None
    reading = None

    async def open(self, order):
        secure = None
        if order["url"].startswith("wss:"):
            secure = ssl.create_default_context(cafile=order["ca"])
        try:
            self.socket = await connect(
                order["url"], subprotocols=order.get("protocols"), ssl=secure, compression="deflate",
                open_timeout=60, ping_interval=None, max_size=None)
        except InvalidStatusCode as error:
            return tell("failed", status=error.status_code, text=str(error))
        except (InvalidHandshake, OSError) as error:
            return tell("failed", status=0, text=str(error))
        extensions = [extension.name for extension in self.socket.extensions]
        tell("open", protocol=self.socket.subprotocol or "", extensions=", ".join(extensions))
        self.reading = asyncio.create_task(self.read())

    async def read(self):
        try:
            while True:
                data = await self.socket.recv()
                binary = isinstance(data, bytes)
                tell("message", text=data.decode() if binary else data, binary=binary)
        except ConnectionClosed:
            tell("closed", code=self.socket.close_code, reason=self.socket.close_reason or "")

    async def send(self, order):
        await self.socket.send(order["text"])

    async def binary(self, order):
        await self.socket.send(order["text"].encode())

    async def fragments(self, order):
        text, size = order["text"], order["size"]
        await self.socket.send([text[at:at + size] for at in range(0, len(text), size)])

    async def ping(self, order):
        await (await self.socket.ping(order["text"]))
        tell("pong", text=order["text"])

    async def close(self, order):
        await self.socket.close(order["code"], order.get("reason", ""))

    async def vanish(self, _):
        self.socket.transport.abort()


async def main():
    loop, lines, peer = asyncio.get_running_loop(), asyncio.StreamReader(limit=1 << 24), Peer()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        order = json.loads(line)
        try:
            await getattr(peer, order["do"])(order)
        except ConnectionClosed:
            pass  # the reading side tells of it


asyncio.run(main())
