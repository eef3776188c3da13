"""How a test's output through pgweir differs from that of the direct run, and which differences are known.

known/SUITE/TEST.diff, or TEST.VARIANT.diff, has the hunks of one difference that is no fault of pgweir, and
known/why.toml the sentence that says why. It counts only line for line, with all of its hunks. What a test shows may
be made of several known differences, each of which occurs or does not.
"""

import collections
import glob
import os
import re
import subprocess
import tomllib

KNOWN = os.path.join(os.path.dirname(os.path.realpath(__file__)), "known")
# Of a process that is another one in each run. See: print of notifications in isolationtester.c
PROCESS_ID = re.compile(r"(?<= from PID )\d+$")

# hunks: how often it has which, so that one that is known once is not known twice
Known = collections.namedtuple("Known", "name why hunks")


class Unusable(Exception):
    """What is known is not as it has to be."""


def difference(theirs, ours):
    """In the words of diff; empty when there is none."""
    done = subprocess.run(["diff", "--unified", "--new-file", theirs, ours], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    return done.stdout.decode(errors="replace")


def hunks_of(text):
    """Without names, times and line numbers, which move with what stands above and with PostgreSQL's releases."""
    hunks = []
    for line in text.splitlines():
        if line.startswith("@@ ") or line == "@@":
            hunks.append([])
        elif hunks:
            hunks[-1].append(PROCESS_ID.sub("N", line))
    return collections.Counter(map(tuple, hunks))


def load(suite):
    """Of each test what is known. Fails when a difference lacks its sentence, or a sentence its difference."""
    with open(f"{KNOWN}/why.toml", "rb") as file:
        sentences = tomllib.load(file).get(suite, {})
    known = collections.defaultdict(list)
    for path in sorted(glob.glob(f"{KNOWN}/{suite}/*.diff")):
        name = os.path.basename(path).removesuffix(".diff")
        with open(path, encoding="utf-8") as file:
            hunks = hunks_of(file.read())
        why = sentences.pop(name, None)
        if not why or not hunks:
            raise Unusable(f"{path} has no {'hunk' if why else 'sentence in known/why.toml'}")
        known[name.partition(".")[0]].append(Known(name, why, hunks))
    if sentences:
        raise Unusable(f"known/why.toml has {' '.join(sentences)}, which known/{suite} has not")
    return known


def explain(known, text):
    """Those known differences that `text` is made of, to the last hunk; none when something else is in it."""
    seen = hunks_of(text)
    found = [one for one in known if one.hunks <= seen]
    covered = collections.Counter()
    for one in found:
        covered |= one.hunks
    return found if covered == seen else []
