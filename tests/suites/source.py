"""PostgreSQL's own tests, out of Debian's source package of the server that is installed here.

They are kept in build/suites/postgresql-VERSION; removing that folder fetches them again.
"""

import os
import re
import shutil
import subprocess
import tempfile

from pgweir_e2e.postgres import binaries
from pgweir_e2e.system import TOP, remove_folder, run

CACHE = os.path.join(TOP, "build", "suites")
HERE = os.path.dirname(os.path.realpath(__file__))
MIRROR = "http://deb.debian.org"
ARCHIVE = f"""\
deb-src {MIRROR}/debian bookworm main
deb-src {MIRROR}/debian bookworm-updates main
deb-src {MIRROR}/debian-security bookworm-security main
"""
SECONDS_MAX = 600  # of one command of apt's, which take a few


class NoSource(Exception):
    """Why there is nothing to run."""


class Apt:
    """apt with lists and settings of its own, so that the machine's stay as they are. Needs no root."""

    def __init__(self, folder):
        lists, cache, parts = (os.path.join(folder, name) for name in ("lists", "cache", "parts"))
        for needed in (f"{lists}/partial", f"{cache}/archives/partial", parts):
            os.makedirs(needed)
        with open(f"{folder}/sources.list", "w", encoding="utf-8") as listing:
            listing.write(ARCHIVE)
        self.options = [f"--option=Dir::Etc::sourcelist={folder}/sources.list",
                        f"--option=Dir::Etc::sourceparts={parts}", f"--option=Dir::State::lists={lists}",
                        f"--option=Dir::Cache={cache}", "--option=APT::Sandbox::User=root",
                        "--option=Acquire::http::Timeout=30", "--option=Acquire::Retries=2"]
        self.complaint = ""
        self._run("apt-get", "update")  # it ends well without a network, too

    def _run(self, program, *arguments, cwd="/"):
        """Whether it went well, and what it said; the first complaint is kept."""
        command = [program, *self.options, "--quiet", *arguments]
        try:
            done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  errors="replace", timeout=SECONDS_MAX, check=False)
        except subprocess.TimeoutExpired:
            raise NoSource(f"{program} {' '.join(arguments)} was not done within {SECONDS_MAX} s") from None
        complaints = re.findall(r"^(?:E:|W: Failed to fetch) .*", done.stdout, re.MULTILINE)
        self.complaint = self.complaint or "".join(complaints[:1])
        return done.returncode == 0, done.stdout

    def versions(self, package):
        """Newest first; none when the archive was not reached or has none."""
        _, said = self._run("apt-cache", "showsrc", package)
        found = sorted(set(re.findall(r"^Version: (\S+)$", said, re.MULTILINE)), key=upstream)
        return found[::-1]

    def download(self, package, version, folder):
        """False when the archive lists it and does not have it (any more)."""
        return self._run("apt-get", "source", "--download-only", f"{package}={version}", cwd=folder)[0]


def upstream(version):
    """15.18-0+deb12u1 as (15, 18)."""
    return tuple(int(number) for number in re.findall(r"\d+", version.split("-")[0]))


def installed_version():
    said = run([f"{binaries()}/postgres", "--version"])
    return re.search(r"\(PostgreSQL\) (\S+)", said).group(1)


def fetch():
    """Downloads and unpacks; returns the folder that has src/test in it."""
    installed = installed_version()
    package = f"postgresql-{upstream(installed)[0]}"
    os.makedirs(CACHE, exist_ok=True)
    scratch = tempfile.mkdtemp(prefix="fetch-", dir=CACHE)
    try:
        apt = Apt(scratch)
        versions = apt.versions(package)
        # The server's own version first: expected output may change with each minor release.
        for version in sorted(versions, key=lambda one: upstream(one) != upstream(installed)):
            print(f"suites: downloading the source of {package} {version}", flush=True)
            if apt.download(package, version, scratch):
                return unpack(scratch, f"postgresql-{version.split('-')[0]}")
        raise NoSource(f"{MIRROR} gave no source of {package}, without which there are no tests to run; it listed"
                       f" {' '.join(versions) or 'none'}. apt said: {apt.complaint or 'nothing'}")
    finally:
        remove_folder(scratch)


def unpack(scratch, name):
    description = next(file for file in os.listdir(scratch) if file.endswith(".dsc"))
    # apt has checked the archive's signature; dpkg-source would want Debian's keyring to check it again.
    run(["dpkg-source", "--no-check", "--extract", f"{scratch}/{description}", f"{scratch}/tree"], cwd=scratch)
    kept = os.path.join(scratch, "kept")
    for part in ("src/test/regress", "src/test/isolation"):
        shutil.copytree(f"{scratch}/tree/{part}", f"{kept}/{part}")
    os.rename(kept, os.path.join(CACHE, name))
    return os.path.join(CACHE, name)


def source_folder():
    wanted = upstream(installed_version())
    have = [name for name in (os.listdir(CACHE) if os.path.isdir(CACHE) else ())
            if name.startswith("postgresql-") and upstream(name.removeprefix("postgresql-"))[0] == wanted[0]]
    if have:
        return os.path.join(CACHE, min(have, key=lambda one: upstream(one.removeprefix("postgresql-")) != wanted))
    return fetch()


def pg_config(what):
    return run([f"{binaries()}/pg_config", f"--{what}"]).strip()


def pgxs(name):
    """A program of PostgreSQL's tests, as Debian packages it beside psql."""
    return pg_config("pgxs").removesuffix("makefiles/pgxs.mk") + f"test/{name}"


def compile_c(target, sources, *options):
    headers = pg_config("includedir-server")
    if not os.path.exists(f"{headers}/postgres.h"):
        raise NoSource(f"{headers} has no headers: run scripts/bootstrap suites")
    libpq = pg_config("includedir")
    run(["gcc", "-O2", "-fwrapv", "-fno-strict-aliasing", f"-I{headers}", f"-I{libpq}/internal", f"-I{libpq}",
         "-o", target, *sources, *options])


def regress_modules(tree, folder):
    """Into `folder`: the C functions that the tests of regress load."""
    compile_c(f"{folder}/regress.so", [f"{tree}/src/test/regress/regress.c"], "-fPIC", "-shared")
    for name in ("refint.so", "autoinc.so"):
        shutil.copy2(f"{pg_config('pkglibdir')}/{name}", folder)


def isolation_programs(tree, folder):
    """Into `folder`: pg_isolation_regress, and the tester that it looks for beside itself.

    The tester asks whether a session waits for a lock by the process number that the session was told
    at its start. Behind a pooler that is no process of PostgreSQL; ours finds sessions by
    application_name instead, which PostgreSQL's tester gives to each of its sessions already.
    """
    ours = f"{folder}/isolationtester-source"
    os.makedirs(ours)
    for name in ("isolationtester.c", "isolationtester.h", "specparse.c", "specscanner.c"):
        shutil.copy2(f"{tree}/src/test/isolation/{name}", ours)
    run(["patch", "--quiet", "--strip=1", f"--directory={ours}", f"--input={HERE}/isolationtester.patch"])
    compile_c(f"{folder}/isolationtester", [f"{ours}/isolationtester.c", f"{ours}/specparse.c"],
              f"-I{ours}", f"-L{pg_config('pkglibdir')}", f"-L{pg_config('libdir')}", "-lpgcommon", "-lpgport", "-lpq")
    shutil.copy2(pgxs("isolation/pg_isolation_regress"), folder)
