"""As much of PostgreSQL's protocol as the bench needs: a login without a password, and simple queries."""

import selectors
import socket
import struct
import time

from system import DATABASE, HOST


class ServerError(Exception):
    """An ErrorResponse, or an end that nobody asked for."""


def startup_message(user="postgres", database=DATABASE):
    body = struct.pack("!i", 196608) + b"".join(
        text.encode() + b"\0" for text in ("user", user, "database", database)) + b"\0"
    return struct.pack("!i", len(body) + 4) + body


def query_message(sql):
    text = sql.encode() + b"\0"
    return b"Q" + struct.pack("!i", len(text) + 4) + text


def error_text(body):
    fields = {part[:1]: part[1:].decode(errors="replace") for part in body.split(b"\0") if part}
    return f"{fields.get(b'C', '?????')} {fields.get(b'M', '')}"


def is_ready(received):
    """True exactly when the bytes, whole messages and perhaps a started one, hold a ReadyForQuery."""
    at = 0
    while at + 5 <= len(received):
        kind, length = received[at:at + 1], struct.unpack_from("!i", received, at + 1)[0]
        if at + 1 + length > len(received):
            return False
        if kind == b"Z":
            return True
        if kind == b"E":
            raise ServerError(error_text(received[at + 5:at + 1 + length]))
        at += 1 + length
    return False


class Client:
    """One session that waits for its answers."""

    def __init__(self, port, database=DATABASE, timeout=30, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        try:
            self.socket.connect((HOST, port))
            self.socket.sendall(startup_message(database=database))
            self._until_ready()
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.socket.sendall(b"X\0\0\0\4")
        except OSError:
            pass
        self.socket.close()

    def query(self, sql):
        """All that was answered, as it came."""
        self.send(sql)
        return self._until_ready()

    def send(self, sql):
        self.socket.sendall(query_message(sql))

    def read(self, bytes_max):
        received = self.socket.recv(bytes_max)
        if not received:
            raise ServerError("the connection ended")
        return len(received)

    def _until_ready(self):
        received = bytearray()
        while not is_ready(bytes(received)):
            more = self.socket.recv(65536)
            if not more:
                raise ServerError("the connection ended")
            received += more
        return bytes(received)


class Crowd:
    """Thousands of logged-in clients; at most `in_flight_max` of them wait for an answer at a time."""

    def __init__(self, port, in_flight_max=100, timeout=120):
        self.port, self.in_flight_max, self.timeout = port, in_flight_max, timeout
        self.sockets = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for member in self.sockets:
            member.close()
        self.sockets.clear()

    def grow(self, count):
        """Opens and logs in that many more."""
        greeting = startup_message()

        def opened():
            member = socket.socket()
            self.sockets.append(member)
            member.settimeout(10)
            member.connect((HOST, self.port))
            return member

        self._ask_each((opened for _ in range(count)), greeting)

    def query(self, sql):
        """Every one of them asks this once."""
        self._ask_each(iter([lambda member=member: member for member in self.sockets]), query_message(sql))

    def _ask_each(self, makers, message):
        selector, received, deadline = selectors.EpollSelector(), {}, time.monotonic() + self.timeout
        is_more = True
        while is_more or received:
            while is_more and len(received) < self.in_flight_max:
                make = next(makers, None)
                if make is None:
                    is_more = False
                    break
                member = make()
                member.sendall(message)
                received[member] = b""
                selector.register(member, selectors.EVENT_READ)
            for key, _ in selector.select(timeout=1):
                more = key.fileobj.recv(16384)
                if not more:
                    raise ServerError(f"an idle client lost its connection ({len(self.sockets)} opened)")
                received[key.fileobj] += more
                if is_ready(received[key.fileobj]):
                    selector.unregister(key.fileobj)
                    del received[key.fileobj]
            if time.monotonic() > deadline:
                raise ServerError(f"{len(received)} clients wait for an answer after {self.timeout} s")
        selector.close()
