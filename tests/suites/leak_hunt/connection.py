"""A connection of asyncio that speaks messages, cheap enough for hundreds in one process."""

import asyncio
import socket
import struct
from collections import namedtuple

from pgweir_e2e import wire

# One for each statement that was completed or failed; error: None, or its SQLSTATE and message
Result = namedtuple("Result", "rows tag error")
# What was answered up to a ReadyForQuery, and the status that this one tells
Group = namedtuple("Group", "results status")

CODECS = {"UTF8": "utf-8", "LATIN1": "latin-1"}


class Lost(Exception):
    """The other side closed, or says nothing any more."""


class Connection(asyncio.Protocol):
    """Lifecycle: open() up to the first ReadyForQuery; exchange() as often as needed; one of the ends."""

    def __init__(self):
        self.parameters, self.notifications, self.notices = {}, [], []
        self.transport = None
        self.buffer, self.rows, self.results, self.groups = bytearray(), [], [], []
        self.awaited, self.waiter, self.lost = 0, None, None

    @classmethod
    async def open(cls, endpoint, timeout, **parameters):
        loop = asyncio.get_running_loop()
        try:
            _, self = await asyncio.wait_for(loop.create_connection(cls, endpoint.host, endpoint.port), timeout)
        except (OSError, TimeoutError) as failure:
            raise Lost(f"cannot connect: {failure}") from None
        await self.exchange(wire.startup(**parameters), 1, timeout)
        return self

    def codec(self):
        return CODECS.get(self.parameters.get("client_encoding"), "utf-8")

    async def exchange(self, data, readies, timeout):
        """Sends, and returns as many groups as ReadyForQuery are awaited."""
        if self.lost:
            raise Lost(self.lost)
        loop = asyncio.get_running_loop()
        self.groups, self.results, self.awaited, self.waiter = [], [], readies, loop.create_future()
        self.transport.write(data)
        late = loop.call_later(timeout, self._fail, f"no answer within {timeout} s")
        try:
            await self.waiter
        finally:
            late.cancel()
        return self.groups

    async def wait_for_notification(self, timeout):
        """Whatever arrives unasked; returns after `timeout` seconds at the latest."""
        seen, deadline = len(self.notifications), asyncio.get_running_loop().time() + timeout
        while len(self.notifications) == seen and asyncio.get_running_loop().time() < deadline and not self.lost:
            await asyncio.sleep(0.01)

    # The ends.

    def terminate(self):
        if self.transport:
            self.transport.write(wire.terminate())
            self.transport.close()

    def vanish(self, data, reset):
        """Says `data` and is gone, by FIN or by RST, without waiting for an answer and without Terminate."""
        if data:
            self.transport.write(data)
        if reset:
            opened = self.transport.get_extra_info("socket")
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.close()

    # What asyncio calls.

    def connection_made(self, transport):
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, exc):
        self._fail(f"closed by the other side ({exc or 'end of stream'})")

    def data_received(self, data):
        buffer = self.buffer
        buffer += data
        position = 0
        while len(buffer) - position >= 5:
            end = position + 1 + int.from_bytes(buffer[position + 1:position + 5], "big")
            if len(buffer) < end:
                break
            self._take(chr(buffer[position]), bytes(buffer[position + 5:end]))
            position = end
        del buffer[:position]

    # What came.

    def _fail(self, reason):
        said = [f"{result.error[0]}: {result.error[1]}" for result in self.results if result.error]
        self.lost = self.lost or "; ".join([*said, reason])
        if self.waiter and not self.waiter.done():
            self.waiter.set_exception(Lost(self.lost))

    def _take(self, kind, body):
        if kind == "D":
            self.rows.append(self._row(body))
        elif kind in "CI":
            self._result(body[:-1].decode() if kind == "C" else "", None)
        elif kind == "E":
            self._result(None, self._report(body))
        elif kind == "N":
            self.notices.append(" ".join(self._report(body)))
        elif kind == "Z":
            self.groups.append(Group(self.results, body.decode()))
            self.results = []
            self.awaited -= 1
            if self.awaited == 0 and self.waiter and not self.waiter.done():
                self.waiter.set_result(None)
        elif kind == "S":
            name, value = body[:-1].split(b"\0")
            self.parameters[name.decode()] = value.decode(self.codec(), "replace")
        elif kind == "A":
            channel, payload, _ = body[4:].split(b"\0")
            self.notifications.append((channel.decode(), payload.decode()))
        elif kind == "R" and body[:4] != b"\0\0\0\0":
            self._fail("asks for a password")

    def _result(self, tag, error):
        self.results.append(Result(self.rows, tag, error))
        self.rows = []

    def _report(self, body):
        """SQLSTATE and message."""
        fields = {part[:1]: part[1:] for part in body.split(b"\0") if part}
        return fields[b"C"].decode(), fields[b"M"].decode(self.codec(), "replace")

    def _row(self, body):
        position, row, codec = 2, [], self.codec()
        for _ in range(int.from_bytes(body[:2], "big")):
            length = int.from_bytes(body[position:position + 4], "big", signed=True)
            position += 4
            row.append(None if length < 0 else body[position:position + length].decode(codec, "replace"))
            position += max(length, 0)
        return tuple(row)
