"""Ports, processes, and what the kernel says of them."""

import glob
import os
import platform
import pwd
import random
import shutil
import socket
import subprocess
import tempfile
import time

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
HOST = "127.0.0.1"
DATABASE = "bench"  # not "postgres", whose connections Pgpool-II never caches
TICK_US = 1_000_000 // os.sysconf("SC_CLK_TCK")
_ports_given = set()


class BenchError(Exception):
    """One measurement failed; the run goes on without it."""


def free_port():
    """Below 32768, where the kernel takes the ports of outgoing connections: pgbench -C would take it away."""
    while True:
        port = random.randrange(20000, 32000)
        if port in _ports_given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        _ports_given.add(port)
        return port


def as_service(command, stop_signal="TERM"):
    """PostgreSQL and the poolers refuse to run as root. They end with us, however we end."""
    user = ["--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    return ["setpriv", *user, f"--pdeathsig={stop_signal}", *command]


def at_fixed_addresses():
    """The start of a command whose program is then loaded at the same addresses every time.

    Several instances of PostgreSQL share the processors here, as they do nowhere else. At addresses of their own they
    cost each other up to a third of their throughput, and the pooler a tenth (what a processor remembers of branches
    goes by address), which would be taken for a cost of routing.
    """
    loader = ["setarch", "--addr-no-randomize"]
    try:
        run([*loader, "true"])
    except BenchError as refused:
        raise BenchError(f"{refused}; --random-addresses does without it") from refused
    return loader


def new_folder():
    folder = tempfile.mkdtemp(prefix="pgweir-bench-", dir="/tmp")
    give_to_service(folder)
    os.chmod(folder, 0o755)
    return folder


def give_to_service(path):
    if os.geteuid() == 0:
        owner = pwd.getpwnam("postgres")
        os.chown(path, owner.pw_uid, owner.pw_gid)


def remove_folder(folder):
    shutil.rmtree(folder, ignore_errors=True)


def run(command, timeout=300):
    """Runs a command to its end and returns what it said."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=timeout, cwd="/", check=False)
    except FileNotFoundError as missing:
        raise BenchError(f"{missing.filename} is not installed: run scripts/bootstrap bench") from missing
    except subprocess.TimeoutExpired as hung:
        raise BenchError(f"{command[0]} did not end in {timeout} s") from hung
    if done.returncode != 0:
        raise BenchError(f"{command[0]} exited {done.returncode}: {last_lines(done.stdout)}")
    return done.stdout


def last_lines(text, count=3):
    return " / ".join(line.strip() for line in text.strip().splitlines()[-count:])


def wait_until(fact, what, timeout=30):
    deadline = time.monotonic() + timeout
    while not fact():
        if time.monotonic() > deadline:
            raise BenchError(f"waited {timeout} s in vain: {what}")
        time.sleep(0.05)


def family(pid):
    """The process and all its descendants that live now."""
    pids = [pid]
    for parent in pids:
        for listing in glob.glob(f"/proc/{parent}/task/*/children"):
            try:
                with open(listing, encoding="ascii") as children:
                    pids.extend(int(child) for child in children.read().split())
            except OSError:
                continue
    return pids


def cpu_us(pid):
    """User and system time of the family so far; the time of ended children counts at their parent."""
    ticks = 0
    for member in family(pid):
        try:
            with open(f"/proc/{member}/stat", encoding="utf-8") as stat:
                fields = stat.read().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(int(field) for field in fields[11:15])  # utime stime cutime cstime
    return ticks * TICK_US


def memory_kb(pid):
    """(RSS, PSS) of the family. What the kernel holds for sockets is not in it."""
    rss = pss = 0
    for member in family(pid):
        try:
            with open(f"/proc/{member}/smaps_rollup", encoding="ascii") as rollup:
                for line in rollup:
                    if line.startswith("Rss:"):
                        rss += int(line.split()[1])
                    elif line.startswith("Pss:"):
                        pss += int(line.split()[1])
        except OSError:
            continue
    return rss, pss


def postgres_binaries():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4]))
    if not found:
        raise BenchError("PostgreSQL is not installed: run scripts/bootstrap build")
    return found[-1]


def machine_facts():
    with open("/proc/cpuinfo", encoding="utf-8") as listing:
        model = next((line.split(":")[1].strip() for line in listing if line.startswith("model name")), "?")
    return {"date": time.strftime("%Y-%m-%d %H:%M"), "nproc": len(os.sched_getaffinity(0)), "cpu": model,
            "kernel": platform.release(), "load": round(os.getloadavg()[0], 2), "tree": tree()}


def tree():
    """The checkout; perhaps not what the program was built from."""
    described = subprocess.run(["git", "-C", TOP, "describe", "--always", "--dirty"], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True, check=False,
                               env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"})
    return described.stdout.strip() or "?"
