"""Statements with what they do to the model, and how they stand together in transactions and messages."""

from collections import namedtuple

from pgweir_e2e import wire


def literal(value):
    """Reads the same whatever standard_conforming_strings is."""
    quoted = value.replace("'", "''")
    return f"E'{quoted}'".replace("\\", "\\\\") if "\\" in value else f"'{quoted}'"


class Step:
    """One statement.

    effect(session) changes the model; fails(session) is the SQLSTATE that is due, or None; rows, or
    rows(session), are those that must come; learn(rows) is told what came. bound: the same with
    parameters. alone: must not stand in a block. solo: the only statement of its script.
    """

    def __init__(self, sql, effect, fails=None, rows=None, learn=None, bound=None, alone=False, solo=False,
                 changes_role=False):
        self.sql, self.effect, self.fails, self.rows, self.learn = sql, effect, fails, rows, learn
        self.bound, self.alone, self.solo, self.changes_role = bound, alone, solo or alone, changes_role
        self.kind, self.name = "statement", ""

    def run(self, session):
        """SQLSTATE or None, and the rows to expect."""
        error = self.fails(session) if self.fails else None
        rows = self.rows(session) if callable(self.rows) else self.rows
        if error is None:
            self.effect(session)
        return error, rows

    def messages(self):
        """In the extended protocol, without Sync."""
        sql, values = self.bound or (self.sql, ())
        return wire.parse("", sql) + wire.bind("", values) + wire.describe() + wire.execute()

    def shown(self, extended=False):
        return f"{self.bound[0]} {self.bound[1]}" if extended and self.bound else self.sql


class Named(Step):
    """A message of the extended protocol on a statement that has a name: parse, run or close."""

    def __init__(self, kind, name, sql, effect, fails=None, rows=None):
        super().__init__(sql, effect, fails, rows, solo=True)
        self.kind, self.name = kind, name

    def messages(self):
        if self.kind == "parse":
            return wire.parse(self.name, self.sql)
        if self.kind == "close":
            return wire.close("S", self.name)
        return wire.bind(self.name) + wire.describe() + wire.execute()

    def shown(self, extended=True):
        return f"{self.kind} {self.name or 'unnamed'} {self.sql}"


class Control(Step):
    """BEGIN, COMMIT and the like, which the model knows as its own."""

    def __init__(self, sql, kind, name=""):
        super().__init__(sql, lambda session: None)
        self.kind, self.name = kind, name

    def run(self, session):
        known = [name for name, _ in session.savepoints]
        if self.kind == "begin":
            session.open_block()
        elif self.kind in ("commit", "rollback"):
            session.finish(self.kind == "commit")
        elif not session.explicit:
            return "25P01", None
        elif self.kind == "savepoint":
            session.savepoint(self.name)
        elif self.name not in known:
            return "3B001", None
        elif self.kind == "rollback to":
            session.rollback_to(self.name)
        else:
            session.release(self.name)
        return None, None


class Fault(Step):
    """A statement that fails."""

    def __init__(self, sql, sqlstate):
        super().__init__(sql, lambda session: None, fails=lambda session: sqlstate)


FAULTS = (("SELECT 1/0", "22012"), ("SELECT no_such_column", "42703"), ("SET no_such_parameter = 1", "42704"),
          ("SET work_mem = 'lots'", "22023"), ("SELECT set_config('work_mem', 'lots', false)", "22023"),
          ("DO $$BEGIN SET work_mem = '8MB'; SET app.tenant = 'failed'; PERFORM 1/0; END$$", "22012"))

# What is due for one statement. step: whose it is
Due = namedtuple("Due", "step error rows")


def play(session, group):
    """Statements that are sent up to one ReadyForQuery, for the model: what is due, and the status then."""
    due = []
    for step in group:
        if session.failed and step.kind not in ("commit", "rollback", "rollback to", "close"):
            due.append(Due(step, "25P02", None))
            break
        session.start()
        error, rows = step.run(session)
        if step.kind not in ("parse", "close") or error:
            due.append(Due(step, error, rows))
        if error:
            session.failed = True
            break
    if session.begin is not None and not session.explicit:
        session.finish(committed=True)
    return due, "E" if session.failed else "T" if session.explicit else "I"


class Script:
    """Groups of statements. together: all are sent before the first answer is read."""

    def __init__(self, groups, extended=False, together=False):
        self.groups, self.extended, self.together = groups, extended, together

    def message(self, group):
        """Whatever is not ASCII is sent in UTF-8: clients with another encoding have none of it."""
        if not self.extended:
            return wire.query("; ".join(step.sql for step in group))
        return b"".join(step.messages() for step in group) + wire.sync()

    def shown(self, group):
        if not self.extended:
            return "; ".join(step.sql for step in group)
        return " | ".join([step.shown(self.extended) for step in group] + ["Sync"])


def in_block(random, steps):
    """BEGIN, steps with savepoints and faults between them, and an end."""
    begin = random.choice(("BEGIN", "START TRANSACTION", "begin isolation level repeatable read"))
    controls, open_names = [Control(begin, "begin")], []
    for number, step in enumerate(steps):
        if random.random() < 0.25:
            open_names.append(f"s{number}")
            controls.append(Control(f"SAVEPOINT s{number}", "savepoint", f"s{number}"))
        controls.append(step)
        if random.random() < 0.1:
            controls.append(Fault(*random.choice(FAULTS)))
            if not open_names:
                break
            controls.append(Control(f"ROLLBACK TO {open_names[-1]}", "rollback to", open_names[-1]))
        elif open_names and random.random() < 0.3:
            name = open_names[-1] if random.random() < 0.5 else random.choice(open_names)
            controls.append(Control(f"ROLLBACK TO SAVEPOINT {name}", "rollback to", name))
            del open_names[open_names.index(name) + 1:]
        elif open_names and random.random() < 0.2:
            controls.append(Control(f"RELEASE {open_names[-1]}", "release", open_names.pop()))
    committed = random.random() < 0.75
    controls.append(Control(random.choice(("COMMIT", "END")), "commit") if committed else
                    Control(random.choice(("ROLLBACK", "ABORT")), "rollback"))
    return controls


def compose(random, steps):
    """A script of these steps: in blocks or not, in one message or several, with answers awaited or not."""
    if any(isinstance(step, Named) for step in steps):
        return Script(cut(random, steps), extended=True, together=random.random() < 0.5)
    if steps[0].alone:
        return Script([steps], extended=random.random() < 0.3)
    blocks = random.random() < 0.6
    items = in_block(random, steps) if blocks else list(steps)
    if not blocks and random.random() < 0.15:
        items.insert(random.randrange(len(items) + 1), Fault(*random.choice(FAULTS)))
    extended = random.random() < 0.5
    how = random.randrange(3)
    groups = [[item] for item in items] if how == 0 else cut(random, items) if how == 1 else [items]
    return Script(groups, extended, together=random.random() < 0.4)


def cut(random, items):
    groups = [[]]
    for item in items:
        if groups[-1] and random.random() < 0.5:
            groups.append([])
        groups[-1].append(item)
    return groups
