"""Ports, processes and folders."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def as_postgres(command):
    """PostgreSQL refuses to run as root; everybody else runs it as themselves."""
    user = ["--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    return ["setpriv", *user, "--pdeathsig=INT", *command]


def start_process(command, log_path, cwd):
    """In a process group of its own: Ctrl-C is for pytest, which ends it in its own way."""
    with open(log_path, "a", encoding="utf-8") as log:
        return subprocess.Popen(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                start_new_session=True)


def new_folder():
    """A folder that user postgres can write; short, because unix socket paths are (107 bytes)."""
    folder = tempfile.mkdtemp(prefix="pgweir-e2e-", dir="/tmp")
    if os.geteuid() == 0:
        owner = pwd.getpwnam("postgres")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    os.chmod(folder, 0o755)
    return folder


def remove_folder(folder):
    shutil.rmtree(folder, ignore_errors=True)


def run(command, **options):
    """Runs a command to its end; a failure shows all that it said."""
    options.setdefault("timeout", 120)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    assert done.returncode == 0, f"{command} exited {done.returncode}:\n{done.stdout}"
    return done.stdout


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as listing:
        return [int(child) for child in listing.read().split()]


def peak_memory_kb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
