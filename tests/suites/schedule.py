"""What pg_regress is told to run, and what it said of it."""

import re
from collections import namedtuple

# passed, failed: sets of names. Ignored tests fail at times and are in neither. Hung: ended by us; failed as well.
Outcome = namedtuple("Outcome", "passed failed ignored hung seconds complaints")

RESULT = re.compile(r"^(?:test |     )(\S+) +\.\.\. +(ok|FAILED|failed \(ignored\))", re.MULTILINE)


class Schedule:
    """Groups of tests that run side by side, in order, and which test needs which others."""

    def __init__(self, text):
        self.groups = [line.removeprefix("test:").split() for line in text.splitlines() if line.startswith("test:")]
        self.ignored = {line.split()[1] for line in text.splitlines() if line.startswith("ignore:")}
        self.needs = {}
        # Comments of the schedule: "# aggregates depends on create_aggregate", "# psql depends on a, b"
        for name, others in re.findall(r"^# (\w+) depends on ([\w, ]+)$", text, re.MULTILINE):
            self.needs[name] = [other for other in re.split(r"[, ]+", others) if other and other != "and"]

    @property
    def names(self):
        return [name for group in self.groups for name in group]

    def only(self, wanted, always):
        """These, those they depend on, and those that any may count on. Names that it has not run at the end."""
        needed, to_do = set(always), list(wanted)
        while to_do:
            name = to_do.pop()
            needed.add(name)
            to_do.extend(other for other in self.needs.get(name, ()) if other not in needed)
        known = set(self.names)
        self._keep(needed)
        self.groups.extend([name] for name in wanted if name not in known)

    def leave_out(self, unwanted):
        self._keep(set(self.names) - set(unwanted))

    def set_apart(self, names):
        """Each of these by itself, at the end. Returns those that it has."""
        apart = [name for name in self.names if name in names]
        self.leave_out(apart)
        self.groups.extend([name] for name in apart)
        return apart

    def _keep(self, wanted):
        groups = ([name for name in group if name in wanted] for group in self.groups)
        self.groups = [group for group in groups if group]

    def text(self):
        ignored = "".join(f"ignore: {name}\n" for name in sorted(self.ignored))
        return ignored + "".join(f"test: {' '.join(group)}\n" for group in self.groups)


def without_result(schedule, log):
    return set(schedule.names) - set(dict(RESULT.findall(log)))


def outcome(schedule, log, hung, seconds, complaints):
    """A test that pg_regress did not come to has failed."""
    said = dict(RESULT.findall(log))
    ignored = schedule.ignored & set(schedule.names)
    passed = {name for name in schedule.names if said.get(name) == "ok"} - ignored - hung
    return Outcome(passed, set(schedule.names) - passed - ignored, ignored, hung, seconds, complaints)
