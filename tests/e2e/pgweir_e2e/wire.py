"""A raw protocol client: says exactly what a test wants said, and shows exactly what came back.

See: protocol-message-formats.html
"""

import base64
import hashlib
import hmac
import os
import select
import socket
import struct
from collections import namedtuple

from .pooler import PASSWORDS

SSL_REQUEST = struct.pack("!ii", 8, 80877103)
GSSENC_REQUEST = struct.pack("!ii", 8, 80877104)
PROTOCOL_3_0 = 3 << 16
PROTOCOL_3_2 = 3 << 16 | 2
ASYNCHRONOUS = "NSA"  # may come at any time: notice, parameter status, notification

Message = namedtuple("Message", "type body")


class ServerError(Exception):
    """An ErrorResponse during login."""

    def __init__(self, fields):
        super().__init__(fields)
        self.fields, self.sqlstate = fields, fields["C"]


# Messages to send.

def text(value):
    return value.encode() + b"\0"


def message(kind, body=b""):
    return kind.encode() + struct.pack("!i", len(body) + 4) + body


def startup(version=PROTOCOL_3_0, **parameters):
    body = struct.pack("!i", version)
    body += b"".join(text(key) + text(value) for key, value in parameters.items()) + b"\0"
    return struct.pack("!i", len(body) + 4) + body


def cancel_request(pid, secret):
    return struct.pack("!iii", 12 + len(secret), 80877102, pid) + secret


def query(sql):
    return message("Q", text(sql))


def parse(name, sql, types=()):
    return message("P", text(name) + text(sql) + struct.pack(f"!h{len(types)}I", len(types), *types))


def bind(statement="", parameters=(), portal=""):
    """Text in, text out; None is NULL."""
    values = b"".join(
        struct.pack("!i", -1) if value is None else struct.pack("!i", len(value.encode())) + value.encode()
        for value in parameters)
    return message("B", text(portal) + text(statement) + struct.pack("!hh", 0, len(parameters))
                   + values + struct.pack("!h", 0))


def describe(kind="P", name=""):
    return message("D", kind.encode() + text(name))


def execute(portal="", rows=0):
    return message("E", text(portal) + struct.pack("!i", rows))


def close(kind, name):
    return message("C", kind.encode() + text(name))


def sync():
    return message("S")


def flush():
    return message("H")


def terminate():
    return message("X")


def copy_data(data):
    return message("d", data)


def copy_done():
    return message("c")


def copy_fail(reason):
    return message("f", text(reason))


def function_call(oid, arguments):
    """Arguments as text, result as text."""
    values = b"".join(struct.pack("!i", len(value)) + value for value in arguments)
    return message("F", struct.pack("!Ihh", oid, 0, len(arguments)) + values + struct.pack("!h", 0))


def prepare_and_run(sql, parameters=(), name=""):
    """One statement by the extended protocol, up to and with its Sync."""
    return parse(name, sql) + bind(name, parameters) + describe() + execute() + sync()


# What came back.

def fields_of(body):
    return {part[:1].decode(): part[1:].decode() for part in body.split(b"\0") if part}


def row_of(body):
    count, = struct.unpack_from("!h", body)
    position, row = 2, []
    for _ in range(count):
        length, = struct.unpack_from("!i", body, position)
        position += 4
        row.append(None if length < 0 else body[position:position + length].decode())
        position += max(length, 0)
    return tuple(row)


class Replies(list):
    """Messages in order, and the views on them that tests ask for."""

    @property
    def types(self):
        """One letter for each message that is not asynchronous."""
        return "".join(reply.type for reply in self if reply.type not in ASYNCHRONOUS)

    def bodies(self, kind):
        return [reply.body for reply in self if reply.type == kind]

    @property
    def rows(self):
        return [row_of(body) for body in self.bodies("D")]

    @property
    def tags(self):
        return [body[:-1].decode() for body in self.bodies("C")]

    @property
    def errors(self):
        return [fields_of(body) for body in self.bodies("E")]

    @property
    def sqlstates(self):
        return [error["C"] for error in self.errors]

    @property
    def notices(self):
        return [fields_of(body) for body in self.bodies("N")]

    @property
    def status(self):
        """The last ReadyForQuery: I idle, T in a transaction, E in a failed one."""
        return self.bodies("Z")[-1].decode()


class Wire:
    """A socket that speaks messages. Every wait for the other side ends after `timeout` seconds."""

    def __init__(self, endpoint, timeout=10, unix=False):
        if unix:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            self.socket.connect(f"{endpoint.socket_folder}/.s.PGSQL.{endpoint.port}")
        else:
            self.socket = socket.create_connection((endpoint.host, endpoint.port), timeout)
        self.input = self.socket.makefile("rb")
        self.endpoint = endpoint
        self.parameters, self.pid, self.secret, self.negotiated = {}, 0, b"", None

    @classmethod
    def login(cls, endpoint, user="app", database="app", password=None, version=PROTOCOL_3_0,
              timeout=10, unix=False, **parameters):
        """Up to ReadyForQuery; ServerError when refused."""
        wire = cls(endpoint, timeout, unix)
        try:
            wire.send(startup(version, user=user, database=database, **parameters))
            wire.authenticate(user, PASSWORDS.get(user, "") if password is None else password)
        except BaseException:
            wire.close()
            raise
        return wire

    def send(self, *messages):
        self.socket.sendall(b"".join(messages))

    def cut(self):
        """Vanishes without a word: the other side sees a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self):
        self.input.close()
        self.socket.close()

    def has_input(self):
        """True when something has arrived that was not received yet."""
        return bool(select.select([self.socket], [], [], 0)[0])

    def receive_bytes(self, count):
        data = self.input.read(count)
        if len(data) < count:
            raise EOFError("the other side closed")
        return data

    def receive(self):
        kind, length = struct.unpack("!ci", self.receive_bytes(5))
        return Message(kind.decode(), self.receive_bytes(length - 4))

    def until(self, kind):
        """All messages up to and with the first of this type."""
        replies = Replies()
        while not replies or replies[-1].type != kind:
            replies.append(self.receive())
        return replies

    def until_ready(self):
        return self.until("Z")

    def until_closed(self):
        """All messages up to the end of the connection, by EOF or by reset."""
        replies = Replies()
        try:
            while True:
                replies.append(self.receive())
        except (EOFError, ConnectionResetError):
            return replies

    def ask(self, *messages):
        """Sends, and reads up to ReadyForQuery."""
        self.send(*messages)
        return self.until_ready()

    def sql(self, statement):
        return self.ask(query(statement))

    def cancel(self):
        """Asks on a connection of its own for an end of what runs here; returns when that one is closed."""
        messenger = Wire(self.endpoint)
        messenger.send(cancel_request(self.pid, self.secret))
        assert messenger.until_closed() == []
        messenger.close()

    def authenticate(self, user, password):
        """Answers whatever the server asks for, up to ReadyForQuery."""
        scram = None
        while True:
            kind, body = self.receive()
            if kind == "E":
                raise ServerError(fields_of(body))
            if kind == "Z":
                return
            if kind == "S":
                name, value = body[:-1].split(b"\0")
                self.parameters[name.decode()] = value.decode()
            elif kind == "K":
                self.pid, self.secret = struct.unpack("!i", body[:4])[0], body[4:]
            elif kind == "v":
                self.negotiated = body
            elif kind == "R":
                scram = self._answer(body, user, password, scram)

    def _answer(self, body, user, password, scram):
        code, = struct.unpack_from("!i", body)
        if code == 3:
            self.send(message("p", text(password)))
        elif code == 5:
            inner = hashlib.md5((password + user).encode()).hexdigest()
            outer = hashlib.md5(inner.encode() + body[4:]).hexdigest()
            self.send(message("p", text("md5" + outer)))
        elif code == 10:
            scram = Scram(password)
            first = scram.first()
            self.send(message("p", text("SCRAM-SHA-256") + struct.pack("!i", len(first)) + first))
        elif code == 11:
            self.send(message("p", scram.final(body[4:])))
        elif code == 12:
            assert scram.proves_server(body[4:]), "the server does not know the password"
        return scram


class Scram:
    """RFC 5802 without channel binding, client's side."""

    def __init__(self, password):
        self.password = password.encode()
        self.bare = b"n=,r=" + base64.b64encode(os.urandom(18))

    def first(self):
        return b"n,," + self.bare

    def final(self, challenge):
        nonce, salt, rounds = (part[2:] for part in challenge.split(b","))
        salted = hashlib.pbkdf2_hmac("sha256", self.password, base64.b64decode(salt), int(rounds))
        without_proof = b"c=biws,r=" + nonce
        transcript = b",".join((self.bare, challenge, without_proof))
        key = self._sign(salted, b"Client Key")
        signature = self._sign(hashlib.sha256(key).digest(), transcript)
        self.verifier = self._sign(self._sign(salted, b"Server Key"), transcript)
        proof = bytes(a ^ b for a, b in zip(key, signature))
        return without_proof + b",p=" + base64.b64encode(proof)

    def proves_server(self, answer):
        return answer == b"v=" + base64.b64encode(self.verifier)

    @staticmethod
    def _sign(key, data):
        return hmac.new(key, data, "sha256").digest()
