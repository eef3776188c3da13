"""What a session of PostgreSQL holds, as far as the hunt's statements can change it."""

from collections import Counter


class Session:
    """The model of one session. Statements change it by the methods below, transactions by their own.

    What a rollback undoes is kept in `held` alone, so that a snapshot of it is all that a savepoint is.
    """

    def __init__(self, defaults):
        self.defaults = defaults  # what RESET returns to; a custom setting that is not in it: ''
        self.held = Held()
        self.prepared, self.statements, self.locks = {}, {}, Counter()
        self.explicit = self.failed = False
        self.begin, self.savepoints = None, []

    def value(self, name):
        held = self.held
        return held.local.get(name, held.settings.get(name, self.defaults.get(name, "")))

    def holds_server(self):
        """True exactly when it has what cannot move from server to server."""
        held = self.held
        return bool(held.temporary or held.cursors or held.channels or self.prepared or +self.locks)

    # Transactions.

    def start(self):
        """The first statement of a group: a transaction of its own, unless one is open."""
        if self.begin is None:
            self.begin = self.held.copy()

    def open_block(self):
        self.explicit = True

    def finish(self, committed):
        """COMMIT or ROLLBACK, or the end of a group without a block around it; True: it was committed."""
        committed = committed and not self.failed
        if committed:
            self.held.local.clear()
            self.held.was_reset.clear()
            self.held.temporary = {name: kind for name, kind in self.held.temporary.items() if kind != "on commit"}
            self.held.channels = set(self.held.listening)
        else:
            self.held = self.begin
        self.explicit = self.failed = False
        self.begin, self.savepoints = None, []
        return committed

    def savepoint(self, name):
        self.savepoints.append((name, self.held.copy()))

    def rollback_to(self, name):
        while self.savepoints[-1][0] != name:
            self.savepoints.pop()
        self.held, self.failed = self.savepoints[-1][1].copy(), False

    def release(self, name):
        while self.savepoints.pop()[0] != name:
            pass

    # Statements.

    def set(self, name, value, local=False):
        if local:
            self.held.local[name] = value
            self.held.was_hidden |= {name} & self.held.was_reset
        else:
            self.held.settings[name] = value
            self.held.local.pop(name, None)
            self.held.was_reset.discard(name)
            self.held.was_hidden.discard(name)

    def reset(self, name, local=False):
        self.set(name, self.defaults.get(name, ""), local)
        if not local:
            self.held.was_reset.add(name)

    def reset_all(self):
        for name in {*self.held.settings, *self.held.local} - {"role", "session_authorization"}:
            self.reset(name)

    def authorize(self, user):
        """Roles end with it."""
        self.set("session_authorization", user)
        self.set("role", "none")

    def close_cursors(self, name=None):
        """CLOSE is for good, whatever becomes of its transaction."""
        for held in (self.held, self.begin, *(snapshot for _, snapshot in self.savepoints)):
            for cursor in [name] if name else list(held.cursors):
                held.cursors.pop(cursor, None)

    def discard_temporary(self):
        self.held.temporary.clear()

    def forget_statements(self):
        self.prepared.clear()
        self.statements.clear()

    def unlock(self, key):
        if self.locks[key] == 0:
            return False
        self.locks[key] -= 1
        return True

    def discard_all(self):
        self.close_cursors()
        self.authorize(self.defaults["session_authorization"])
        self.reset_all()
        self.forget_statements()
        self.held.listening.clear()
        self.locks.clear()
        self.discard_temporary()


class Held:
    """What is undone by a rollback. `listening` becomes `channels` at COMMIT."""

    def __init__(self):
        self.settings, self.local = {}, {}
        # Names: reset in the open transaction; and then set for the rest of it, which PostgreSQL's views take for a SET
        self.was_reset, self.was_hidden = set(), set()
        self.temporary, self.cursors = {}, {}
        self.listening, self.channels = set(), set()

    def copy(self):
        other = Held()
        for name, mine in vars(self).items():
            setattr(other, name, mine.copy())
        return other
