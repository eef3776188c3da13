"""One client of the hunt: it comes, changes its session, looks whether it sees its own, and goes or vanishes."""

import asyncio
import json
import random
import time

from . import pins, settings, view
from .connection import Connection, Lost
from .model import Session
from .steps import Control, Named, Script, compose, play

ANSWER_SECONDS = 60
TOKEN_SECONDS = 20
HELD_SCRIPTS = 6  # so long a client keeps what ties it to a server
# (due, seen): what docs/session-semantics.md tells of
KNOWN = dict.fromkeys([("42P01", "3F000"), ("42883", "3F000")],
                      "no such object in pg_temp: its schema is not there either")
ENDINGS = ("", "", "", "'", ", b", " ü", "\\", '"', "$x$", " " * 300)

SETTINGS = [settings.plain] * 3 + [settings.custom] * 4 + [settings.custom_in_a_function] * 2 + [settings.reset] * 2 + [
    settings.no_change, settings.of_superuser, settings.hidden_from_others, settings.before_temporary,
    pins.transaction_lock]
SOLO = [settings.solo, settings.solo, settings.reset_all, settings.discard_all, settings.procedure,
        settings.authorization, pins.notify]
PINS = [pins.prepare, pins.execute, pins.deallocate, pins.lock, pins.lock, pins.unlock, pins.cursor, pins.close_cursor,
        pins.listen, pins.listen, pins.unlisten]
TEMPORARY = [pins.temporary, pins.temporary, pins.bare_table, pins.drop_temporary, pins.read_temporary]


class Difference(Exception):
    """The session is not what its client made of it. args: the kind, and what was seen."""


class Known(Exception):
    """It differs in what the documentation tells of, and cannot go on. args: which one."""


class Client:
    """Lifecycle: run() until the hunt is over; each life() of it is one connection."""

    def __init__(self, hunt, number, user):
        self.hunt, self.number, self.user = hunt, number, user
        self.superuser = user == hunt.SUPERUSER
        self.user_class = 2 if self.superuser else 1
        self.random = random.Random(f"{hunt.options.seed} {number}")
        self.channel = f"own_{number}"
        self.connection, self.session, self.serial, self.tokens = None, None, 0, 0
        self.history, self.uses_temporary = [], False
        self.held_for, self.listens, self.expected = 0, False, {}
        self.begins_with = None  # the first step of what was sent last
        self.heard, self.spell = set(), 0  # payloads; of listening without a change, its number

    async def run(self):
        await asyncio.sleep(self.random.random())
        while not self.hunt.is_over():
            try:
                await self.life()
            except Known as known:
                self.hunt.known[known.args[0]] += 1
            except Difference as difference:
                self.hunt.differs(self, *difference.args)
            except Lost as loss:
                self.hunt.differs(self, "connection", str(loss))
            finally:
                self.leave()

    def leave(self):
        """Forgets it all at once; what is still under way is nobody's."""
        self.release_contended()
        self.hunt.holding.discard(self)
        self.end_spell()
        if self.connection:
            self.connection.terminate()
        self.connection = None

    async def life(self):
        self.serial = self.hunt.next_serial()
        self.history, self.held_for = [], 0
        self.uses_temporary = self.random.random() < 0.7
        startup, defaults = self.startup()
        self.note(f"startup {startup}")
        self.connection = await Connection.open(self.hunt.endpoint, ANSWER_SECONDS, user=self.user,
                                                database=self.hunt.DATABASE, **startup)
        self.session = Session(defaults)
        await self.verify()
        for _ in range(self.random.randrange(5, 200)):
            if self.hunt.is_over():
                return
            if self.random.random() < 0.01:
                self.vanish(b"")
                return
            if not await self.perform(self.choose()):
                return
            await self.verify()

    def startup(self):
        """Parameters of the startup packet, and what RESET returns to with them."""
        if "startup" in self.hunt.options.without:
            return {}, self.hunt.defaults[self.user]
        pick, own = self.random.random, {}
        for name in ("work_mem", "search_path", "enable_seqscan", "DateStyle", "TimeZone", "IntervalStyle",
                     "application_name", "extra_float_digits", "app.tenant", settings.own_names(self.number)[0]):
            if pick() < 0.15:
                own[name] = self.random.choice(settings.PLAIN.get(name, (f"start {self.serial}",)))
        if pick() < 0.1:
            own["client_encoding"] = "LATIN1"
        as_options = {name for name in own if name != "client_encoding" and ("." in name or pick() < 0.5)}
        packet = {name: value for name, value in own.items() if name not in as_options}
        if as_options:
            packet["options"] = " ".join(f"-c {name}={escaped(own[name])}" for name in sorted(as_options))
        return packet, {**self.hunt.defaults[self.user], **own}

    # What statements want to know.

    def is_itself(self):
        return self.session.value("role") == "none" and self.session.value("session_authorization") == self.user

    def is_superuser_now(self):
        return self.superuser and self.is_itself()

    def may_write(self):
        return self.session.value("default_transaction_read_only") == "off"

    def new_token(self):
        self.tokens += 1
        return f"{self.serial}.{self.tokens}"

    def new_value(self):
        """Unlike any other, and now and then with what needs care."""
        ending = self.random.choice(ENDINGS)
        can_be_said = ending.isascii() or self.session.value("client_encoding") == "UTF8"
        return self.new_token() + (ending if can_be_said else "")

    def contended_name(self, key):
        return f"{self.user_class}.{key}.2"

    def is_contended(self, name):
        return name in map(self.contended_name, pins.CONTENDED)

    def release_contended(self):
        for key in pins.CONTENDED:
            if self.hunt.holders.get((self.user_class, key)) is self:
                del self.hunt.holders[self.user_class, key]

    def contended(self, key, rows):
        """pg_try_advisory_lock() said so."""
        place = self.user_class, key
        holder = self.hunt.holders.get(place)
        if rows == [("t",)]:
            if holder not in (None, self):
                raise Difference("contended locks", f"got key {key}, which client {holder.number} holds")
            self.hunt.holders[place] = self
            self.session.locks[self.contended_name(key)] += 1

    def hears(self, payload, spell):
        """Somebody said `payload` while it listened; it may have heard that before this is known."""
        if self.listens and self.spell == spell and payload not in self.heard:
            self.expected.setdefault(payload, time.monotonic())

    def end_spell(self):
        self.listens = False
        self.spell += 1
        self.expected.clear()
        self.heard.clear()

    # What it does.

    def choose(self):
        session, roll = self.session, self.random.random()
        if self in self.hunt.holding:
            self.held_for += 1
            if self.held_for > HELD_SCRIPTS:
                return self.let_go()
        if roll < 0.12:
            return self.among_others(self.pick(SOLO)(self))
        if roll < 0.2:
            return self.theme([settings.role, settings.plain, settings.custom])
        if roll < 0.3:
            steps = pins.unnamed(self) if self.random.random() < 0.3 else pins.protocol(self)
            script = compose(self.random, steps)
            script.together = script.together and "together" not in self.hunt.options.without
            return script
        if roll < (0.8 if self in self.hunt.holding else 0.4) and self.hunt.may_hold(self):
            self.hunt.holding.add(self)  # until a look shows that nothing of the kind is left
            if self.random.random() < 0.15:
                return compose(self.random, [pins.contend(self)])
            temporary = self.uses_temporary and self.is_itself() and self.may_write()
            if temporary and session.value("search_path").startswith("pg_temp") and self.random.random() < 0.4:
                return compose(self.random, [self.pick([pins.bare_table])(self)])
            return self.theme(PINS + (TEMPORARY * 2 if temporary else []) + [settings.plain, settings.custom])
        if session.holds_server() and roll > 0.95:
            return self.let_go()
        return self.theme(SETTINGS)

    def pick(self, makers):
        """One of them, unless --without leaves it out."""
        return self.random.choice([maker for maker in makers if maker.__name__ not in self.hunt.options.without]
                                  or [settings.no_change])

    def among_others(self, step):
        """By itself, or in the middle of a pipeline of simple queries."""
        if not step.alone or self.random.random() < 0.6:
            return compose(self.random, [step])
        before, after = (self.pick([settings.plain, settings.custom, settings.reset])(self) for _ in range(2))
        return Script([[before], [step], [after]], together=True)

    def theme(self, makers):
        steps = [self.pick(makers)(self) for _ in range(self.random.randrange(1, 5))]
        alone = [step for step in steps if step.solo]
        return compose(self.random, alone[:1] or steps)

    def let_go(self):
        """Of all that ties it to a server: at once, or thing by thing."""
        session = self.session
        contended = any(session.locks[self.contended_name(key)] for key in pins.CONTENDED)
        temporary = session.held.temporary and not (self.is_itself() and self.may_write())
        if self.random.random() < 0.3 or temporary or contended and self.random.random() < 0.5:
            return compose(self.random, [settings.discard_all(self)])
        steps = []
        for held, free in ((session.held.temporary, pins.drop_temporary), (session.prepared, pins.deallocate),
                           (+session.locks, pins.unlock), (session.held.cursors, pins.close_cursor),
                           (session.held.channels, pins.unlisten)):
            steps += [free(self) for _ in held]
        alone = [step for step in steps if step.solo]
        return compose(self.random, alone[:1] or steps or [settings.no_change(self)])

    def vanish(self, data):
        reset = self.random.random() < 0.3
        self.note(f"vanishes, by {'RST' if reset else 'FIN'}")
        self.connection.vanish(data, reset)
        self.hunt.vanished += 1

    async def perform(self, script):
        """Sends it, compares what comes with what is due. False: the client vanished in the middle."""
        statements = [step.sql for group in script.groups for step in group]
        if any(sql.startswith(("LISTEN", "UNLISTEN", "DISCARD")) for sql in statements):
            self.end_spell()
        news = {sql.removeprefix("LISTEN ") for sql in statements if sql.startswith("LISTEN ")}
        channels = self.session.held.channels | news
        due = [play(self.session, group) for group in script.groups]
        data = [script.message(group) for group in script.groups]
        if self.random.random() < 0.008:
            cut = self.random.randrange(len(data))
            for message, group in zip(data[:cut], script.groups):
                self.note(script.shown(group))
                await self.connection.exchange(message, 1, ANSWER_SECONDS)
            self.note(f"{script.shown(script.groups[cut])} -- without waiting for it")
            self.vanish(data[cut])
            return False
        await self.send(script, data, due)
        self.hunt.transactions += 1
        if self.session.explicit:
            end = Control(*self.random.choice((("ROLLBACK", "rollback"), ("COMMIT", "commit"))))
            last = Script([[end]], extended=self.random.random() < 0.3)
            due = [play(self.session, [end])]
            await self.send(last, [last.message([end])], due)
        self.check_notifications(channels)
        return True

    async def send(self, script, data, due):
        self.begins_with = script.groups[0][0]
        if script.together:
            self.note("together: " + "  //  ".join(map(script.shown, script.groups)))
            answers = await self.connection.exchange(b"".join(data), len(data), ANSWER_SECONDS)
            self.note(f"  {told(answers)}")
            for group, expected in zip(answers, due):
                self.compare_group(group, *expected)
            return
        for group, message, expected in zip(script.groups, data, due):
            self.note(("extended: " if script.extended else "") + script.shown(group))
            answers = await self.connection.exchange(message, 1, ANSWER_SECONDS)
            self.note(f"  {told(answers)}")
            self.compare_group(answers[0], *expected)

    def compare_group(self, group, due, status):
        for result, (step, error, rows) in zip(group.results, due):
            seen = result.error[0] if result.error else None
            behind = step is not self.begins_with
            if behind and not error and seen == "22023" and "temp_buffers" in result.error[1]:
                raise Known("SET temp_buffers behind something else, on a server with temporary tables of others")
            if (error, seen) in KNOWN:
                self.hunt.known[KNOWN[error, seen]] += 1
            elif seen != error:
                kind = "protocol statements" if isinstance(step, Named) else "outcome"
                raise Difference(kind, f"{step.shown()}: {result.error or 'no error'}, due was {error or 'none'}")
            if not error and rows is not None and result.rows != rows:
                kind = "protocol statements" if isinstance(step, Named) else "rows"
                raise Difference(kind, f"{step.shown()}: {result.rows}, due were {rows}")
            if not error and step.learn:
                step.learn(result.rows)
        if len(group.results) != len(due) or group.status != status:
            raise Difference("outcome", f"{len(group.results)} answers and status {group.status}, "
                                        f"due were {len(due)} and {status}")

    # What it sees.

    async def verify(self):
        script, take, others = view.look(self)
        answers = []
        data = [script.message(group) for group in script.groups]
        if script.together:
            answers = await self.connection.exchange(b"".join(data), len(data), ANSWER_SECONDS)
        else:
            for message in data:
                answers += await self.connection.exchange(message, 1, ANSWER_SECONDS)
        errors = [result.error for group in answers for result in group.results if result.error]
        if errors:
            raise Difference("outcome", f"its look at itself failed: {errors}")
        pid, values, objects = take(answers)
        self.note(f"  looked, on backend {pid}")
        self.hunt.checks += 1
        self.compare_settings(values, others)
        self.compare_objects(objects)
        self.check_notifications(self.session.held.channels)
        self.listens = self.channel in self.session.held.channels
        if not self.session.holds_server():
            self.hunt.holding.discard(self)
            self.held_for = 0

    def compare_settings(self, values, others):
        told_values = self.connection.parameters
        built = settings.built_name(self.number)
        for name, value in values.items():
            asked = name.removeprefix("SHOW ")
            if name in others:
                if value:
                    raise Difference("settings of others", f"{name} is {value!r}")
            elif asked == built:
                if value and not value.startswith(f"{self.serial}."):
                    raise Difference("custom settings", f"{name} is {value!r}, which is not its own")
            elif asked in self.session.defaults or "." in asked:
                own = self.session.value(asked)
                if asked in self.session.held.was_hidden and value == self.hunt.defaults[self.user].get(asked):
                    self.session.set(asked, value)
                    self.hunt.known["a startup value is lost by RESET and then SET LOCAL"] += value != own
                elif plain(asked, value) != plain(asked, own):
                    kind = "custom settings" if "." in asked else "settings"
                    raise Difference(kind, f"{name} is {value!r}, its own is {own!r}")
            if asked in settings.REPORTED and asked in told_values and told_values[asked] != value:
                raise Difference("ParameterStatus", f"{asked} is {value!r}, the client was told {told_values[asked]!r}")

    def compare_objects(self, objects):
        session = self.session
        role = session.value("role")
        user = session.value("session_authorization")
        own = {"prepared statements": sorted(session.prepared), "advisory locks": sorted(+session.locks),
               "temporary objects": sorted(session.held.temporary), "channels": sorted(session.held.channels),
               "holdable cursors": sorted(session.held.cursors), "users": [user if role == "none" else role, user]}
        for kind, due in own.items():
            if (objects[kind] if kind == "users" else sorted(objects[kind])) != due:
                raise Difference(kind, f"sees {json.dumps(objects[kind])}, its own are {json.dumps(due)}")

    def check_notifications(self, channels):
        arrived, self.connection.notifications = self.connection.notifications, []
        if arrived:
            self.note(f"  heard {arrived}")
        for channel, payload in arrived:
            if channel not in channels:
                raise Difference("notifications", f"heard {payload} on {channel}, and listens on {sorted(channels)}")
            self.heard.add(payload)
            self.expected.pop(payload, None)
        missed = [notice for notice in self.connection.notices if "notifications may" in notice]
        if missed:
            raise Difference("notifications", f"was told, and nothing happened: {missed}")
        late = [payload for payload, since in self.expected.items() if time.monotonic() - since > TOKEN_SECONDS]
        if late:
            raise Difference("notifications", f"never heard {late} on {self.channel}")

    def note(self, line):
        self.history.append(f"{time.time() % 10000:.3f} {line}")


def told(answers):
    """Answers in one line."""
    return " // ".join("; ".join(result.tag if not result.error else " ".join(result.error) for result in group.results)
                       + f" [{group.status}]" for group in answers)


def escaped(value):
    """As a word of `options`."""
    return value.replace("\\", "\\\\").replace(" ", "\\ ")


def plain(name, value):
    """SET writes names with quotes where quote_all_identifiers says so."""
    return value.replace('"', "") if name == "search_path" and value else value or ""
