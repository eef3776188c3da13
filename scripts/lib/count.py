"""count.py SUITE FOLDER STATUS: prints "passed failed skipped" of one suite that scripts/test ran.

A suite that broke off without figures, or ended badly though nothing failed, counts as one failure.
"""

import re
import sys
import xml.etree.ElementTree


def of_doctest(folder):
    """[doctest] test cases:  12 |  11 passed | 1 failed | 3 skipped; skipped ones are those not chosen."""
    log = open(f"{folder}/unit.log", encoding="utf-8", errors="replace").read()
    log = re.sub(r"\x1b\[[0-9;]*m", "", log)
    passed, failed = re.findall(r"test cases:.*?(\d+) passed *\| *(\d+) failed", log)[-1]
    return int(passed), int(failed), 0


def of_last_line(name):
    """sim and the suites count as scripts/test does: 12 passed, 0 failed"""
    def count(folder):
        log = open(f"{folder}/{name}.log", encoding="utf-8", errors="replace").read()
        passed, failed = re.findall(r"^(\d+) passed, (\d+) failed", log, re.MULTILINE)[-1]
        return int(passed), int(failed), 0
    return count


def of_pytest(folder):
    outcomes = {}  # by name, since a test that fails twice, itself and its teardown, is listed twice
    for case in xml.etree.ElementTree.parse(f"{folder}/e2e.xml").iter("testcase"):
        outcomes.setdefault((case.get("classname"), case.get("name")), set()).update(
            child.tag for child in case)
    failed = sum(bool({"failure", "error"} & seen) for seen in outcomes.values())
    skipped = sum("skipped" in seen for seen in outcomes.values())
    return len(outcomes) - failed - skipped, failed, skipped


COUNTS = {"unit": of_doctest, "e2e": of_pytest,
          **{name: of_last_line(name) for name in ("sim", "regress", "isolation", "leaks", "listeners", "stale", "frameworks",
                                           "routing")}}


def main():
    suite, folder, status = sys.argv[1:]
    try:
        passed, failed, skipped = COUNTS[suite](folder)
    except (OSError, IndexError, AttributeError, xml.etree.ElementTree.ParseError):
        passed, failed, skipped = 0, 1, 0
    if status != "0" and failed == 0:
        failed = 1
    print(passed, failed, skipped)


main()
