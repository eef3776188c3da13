"""What ties a session to its backend: how a client makes it, uses it and lets go of it."""

from .steps import Named, Step, literal

TEMPORARY = {
    "table": ("CREATE TEMPORARY TABLE {0} AS SELECT {1}::text AS v", "DROP TABLE pg_temp.{0}", "42P07", "42P01"),
    "view": ("CREATE TEMP VIEW {0} AS SELECT {1}::text AS v", "DROP VIEW pg_temp.{0}", "42P07", "42P01"),
    "sequence": ("CREATE TEMP SEQUENCE {0}", "DROP SEQUENCE pg_temp.{0}", "42P07", "42P01"),
    "function": ("CREATE FUNCTION pg_temp.{0}() RETURNS text LANGUAGE sql AS $a$SELECT {1}::text$a$",
                 "DROP FUNCTION pg_temp.{0}()", "42723", "42883"),
    "domain": ("CREATE DOMAIN pg_temp.{0} AS int", "DROP DOMAIN pg_temp.{0}", "42710", "42704"),
    "on commit": ("CREATE TEMP TABLE {0} ON COMMIT DROP AS SELECT {1}::text AS v", "DROP TABLE pg_temp.{0}",
                  "42P07", "42P01"),
}
CONTENDED = (71, 72)


def temporary(client):
    """Makes one. Each kind has names of its own, some shared by all clients."""
    random = client.random
    kind = random.choice(sorted(TEMPORARY))
    make, _, repeated, _ = TEMPORARY[kind]
    name = f"{kind[:2]}_{random.choice(('keep', client.number))}"
    value = literal(f"{client.serial}")

    def effect(session):
        session.held.temporary[name] = kind

    return Step(make.format(name, value), effect,
                fails=lambda session: repeated if name in session.held.temporary else None)


def bare_table(client):
    """A temporary table because of search_path alone: its statement does not say so."""
    if not client.session.value("search_path").startswith("pg_temp"):
        return Step("SET search_path = pg_temp, public",
                    lambda session: session.set("search_path", "pg_temp, public"), solo=True)
    name = f"ta_bare_{client.number}"

    def effect(session):
        session.held.temporary[name] = "table"

    return Step(f"CREATE TABLE {name} AS SELECT {literal(str(client.serial))}::text AS v", effect, solo=True,
                fails=lambda session: "42P07" if name in session.held.temporary else None)


def drop_temporary(client):
    random = client.random
    if not client.session.held.temporary or random.random() < 0.2:
        return Step("DISCARD TEMP", lambda session: session.discard_temporary())
    name, kind = random.choice(sorted(client.session.held.temporary.items()))
    _, drop, _, missing = TEMPORARY[kind]
    return Step(drop.format(name), lambda session: session.held.temporary.pop(name),
                fails=lambda session: None if name in session.held.temporary else missing)


def read_temporary(client):
    """What is in it is the client's."""
    own = [name for name, kind in sorted(client.session.held.temporary.items()) if kind in ("table", "view")]
    name = client.random.choice(own) if own else "ta_keep"
    return Step(f"SELECT v FROM pg_temp.{name}", lambda session: None, rows=[(f"{client.serial}",)],
                fails=lambda session: None if name in session.held.temporary else "42P01")


def statement_name(client):
    return client.random.choice(("keep", f"mine_{client.number}"))


def prepare(client):
    name = statement_name(client)

    def effect(session):
        session.prepared[name] = f"{client.serial}"

    return Step(f"PREPARE {name} AS SELECT {literal(str(client.serial))}::text", effect,
                fails=lambda session: "42P05" if name in session.prepared else None)


def execute(client):
    name = client.random.choice(sorted(client.session.prepared) or ["keep"])
    return Step(f"EXECUTE {name}", lambda session: None, rows=[(f"{client.serial}",)],
                fails=lambda session: None if name in session.prepared else "26000")


def deallocate(client):
    if client.random.random() < 0.15:
        return Step(client.random.choice(("DEALLOCATE ALL", "DEALLOCATE PREPARE ALL")),
                    lambda session: session.forget_statements(), solo=True)
    name = client.random.choice(sorted(client.session.prepared) or ["keep"])
    return Step(f"DEALLOCATE {name}", lambda session: session.prepared.pop(name),
                fails=lambda session: None if name in session.prepared else "26000")


def lock(client):
    """A key of this life's own, in one of the ways to lock it. Its name is as the check shows it."""
    random, serial = client.random, client.serial
    which = random.randrange(1, 4)
    if random.random() < 0.5:
        key, name = f"{serial}, {which}", f"{serial}.{which}.2"
        calls = [f"SELECT pg_advisory_lock({key})", f"DO $$BEGIN PERFORM pg_advisory_lock({key}); END$$"]
    else:
        key, name = f"{(serial << 32) + which}", f"{serial}.{which}.1"
        calls = [f"SELECT pg_advisory_lock({key})", f"SELECT public.lock_it({key})"]

    def effect(session):
        session.locks[name] += 1

    if random.random() < 0.4:
        return Step(f"SELECT pg_try_advisory_lock({key})", effect, rows=[("t",)])
    return Step(random.choice(calls), effect)


def unlock(client):
    random = client.random
    own = sorted(name for name in +client.session.locks if not client.is_contended(name))
    if not own or random.random() < 0.2:
        return Step("SELECT pg_advisory_unlock_all()", lambda session: unlock_all(client))
    name = random.choice(own)
    high, low, words = name.split(".")
    key = f"{high}, {low}" if words == "2" else f"{(int(high) << 32) + int(low)}"
    return Step(f"SELECT pg_advisory_unlock({key})", lambda session: session.unlock(name),
                rows=lambda session: [("t" if session.locks[name] else "f",)])


def unlock_all(client):
    client.release_contended()
    client.session.locks.clear()


def contend(client):
    """A key that all want. Who has it is known when the answer is there, and let go of before it is asked for."""
    key = client.random.choice(CONTENDED)
    name = client.contended_name(key)
    if client.session.locks[name]:
        def free(session):
            client.hunt.holders.pop((client.user_class, key), None)
            session.unlock(name)

        return Step(f"SELECT pg_advisory_unlock({client.user_class}, {key})", free, rows=[("t",)], solo=True)
    return Step(f"SELECT pg_try_advisory_lock({client.user_class}, {key})", lambda session: None, solo=True,
                learn=lambda rows: client.contended(key, rows))


def transaction_lock(client):
    return Step(f"SELECT pg_advisory_xact_lock({client.serial}, 9)", lambda session: None)


def cursor(client):
    name = client.random.choice(("cur_keep", f"cur_{client.number}"))

    def effect(session):
        session.held.cursors[name] = f"{client.serial}"

    return Step(f"DECLARE {name} CURSOR WITH HOLD FOR SELECT {literal(str(client.serial))}::text", effect,
                fails=lambda session: "42P03" if name in session.held.cursors else None)


def close_cursor(client):
    if client.random.random() < 0.2:
        return Step("CLOSE ALL", lambda session: session.close_cursors())
    name = client.random.choice(sorted(client.session.held.cursors) or ["cur_keep"])
    return Step(f"CLOSE {name}", lambda session: session.close_cursors(name),
                fails=lambda session: None if name in session.held.cursors else "34000")


def listen(client):
    channel = client.random.choice(("common", client.channel))
    return Step(f"LISTEN {channel}", lambda session: session.held.listening.add(channel))


def unlisten(client):
    channels = sorted(client.session.held.channels)
    if not channels or client.random.random() < 0.2:
        return Step("UNLISTEN *", lambda session: session.held.listening.clear())
    channel = client.random.choice(channels)
    return Step(f"UNLISTEN {channel}", lambda session: session.held.listening.discard(channel))


def notify(client):
    """To all, or to one that listens at present: that one must hear it."""
    payload = client.new_token()
    heard_by = client.hunt.some_listener(client)
    if heard_by is None or client.random.random() < 0.3:
        return Step(client.random.choice((f"NOTIFY common, '{payload}'", f"SELECT pg_notify('common', '{payload}')")),
                    lambda session: None)
    spell = heard_by.spell
    return Step(f"NOTIFY {heard_by.channel}, '{payload}'", lambda session: None, alone=True,
                learn=lambda rows: heard_by.hears(payload, spell))


# Statements of the protocol.

def protocol(client):
    """A few of them in a row."""
    random = client.random
    return [random.choice((parse, run, run, close))(client) for _ in range(random.randrange(1, 5))]


def protocol_name(client):
    return client.random.choice(("s1", "s2", "s3"))


def parse(client):
    name, value = protocol_name(client), client.new_token()

    def effect(session):
        session.statements[name] = value

    return Named("parse", name, f"SELECT '{value}'::text", effect,
                 fails=lambda session: "42P05" if name in session.statements else None)


def run(client):
    name = protocol_name(client)
    return Named("run", name, "", lambda session: None,
                 fails=lambda session: None if name in session.statements else "26000",
                 rows=lambda session: [(session.statements.get(name),)])


def close(client):
    name = protocol_name(client)
    return Named("close", name, "", lambda session: session.statements.pop(name, None))


def unnamed(client):
    """Parsed in one go, run in the next."""
    value = client.new_token()
    return [Named("parse", "", f"SELECT '{value}'::text", lambda session: None),
            Named("run", "", "", lambda session: None, rows=[(value,)])]
