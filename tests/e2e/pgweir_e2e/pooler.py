"""pgweir as a process of the tests' own, and PostgreSQL itself in its place."""

import json
import os
import re
import signal
import socket
import subprocess
import urllib.error
import urllib.request

import psycopg

from .configuration import merged, users_text, yaml_text
from .postgres import ROLES
from .system import TOP, free_port, new_folder, remove_folder, start_process
from .waiting import wait_until

CONSOLE_USERS = {"console_admin": "admin secret", "console_viewer": "viewer secret"}
PASSWORDS = {role: password for role, (password, _) in ROLES.items()} | CONSOLE_USERS
BUILD = os.path.join("build", os.environ.get("PGWEIR_BUILD", "dev"), "pgweir")
BINARY = os.path.join(TOP, os.environ.get("PGWEIR", BUILD))
SANITIZER_REPORT = re.compile(r"ERROR: \w+Sanitizer|runtime error:|WARNING: ThreadSanitizer")


class Endpoint:
    """Where clients connect: what a test needs to know of a pooler or of a server."""

    host, port, socket_folder = "127.0.0.1", 0, ""

    def address(self, user="app", dbname="app"):
        """libpq's words for it."""
        return {"host": self.host, "port": self.port, "user": user, "dbname": dbname,
                "password": PASSWORDS.get(user, "")}

    def connect(self, user="app", dbname="app", autocommit=True, **options):
        options = {"connect_timeout": 10, **self.address(user, dbname), **options}
        return psycopg.connect(autocommit=autocommit, **options)

    def dsn(self, **who):
        return psycopg.conninfo.make_conninfo(**self.address(**who))

    def environment(self, **who):
        """For programs that read libpq's environment variables."""
        names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "dbname": "PGDATABASE",
                 "password": "PGPASSWORD"}
        return {**os.environ, "PGSSLMODE": "disable",
                **{names[key]: str(value) for key, value in self.address(**who).items()}}


class Direct(Endpoint):
    """PostgreSQL without a pooler: shows that a test asks for what PostgreSQL really does."""

    def __init__(self, postgres):
        self.host, self.port, self.socket_folder = postgres.host, postgres.port, postgres.folder

    def close(self):
        pass


class Pooler(Endpoint):
    """Lifecycle: made with its files written and started; close() ends it and checks how it went."""

    def __init__(self, postgres, pool_size=2, workers=1, users=None, http=False, binary=BINARY, more_listen=(),
                 **changes):
        self.folder = self.socket_folder = new_folder()
        self.config_path = os.path.join(self.folder, "pgweir.yaml")
        self.log_path = os.path.join(self.folder, "pgweir.log")
        self.port, self.http_port = free_port(), free_port() if http else None
        self.binary, self.process, self.exit_status = binary, None, None
        self.config = merged({
            "listen": [{"host": self.host, "port": self.port}, {"unix": self.folder, "port": self.port}, *more_listen],
            "workers": workers,
            "limits": {"worker_load": 0},  # or all the few clients of a test would be in one worker
            "auth": {"method": "scram-sha-256", "users_file": "users.txt"},
            "admin": {"users": ["console_admin"], "viewers": ["console_viewer"]},
            "databases": {"*": {"host": postgres.host, "port": postgres.port, "pool_size": pool_size}},
        }, changes)
        if http:
            self.config["http"] = {"host": self.host if http is True else http, "port": self.http_port}
        self.write_users(users or PASSWORDS)
        self.write_config()
        self._start()

    def _write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    def write_users(self, secrets):
        self._write("users.txt", users_text(secrets))
        os.chmod(os.path.join(self.folder, "users.txt"), 0o640)

    def write_config(self, text=None, **changes):
        """A new pgweir.yaml: `text` as it is, or the present configuration with changes."""
        self.config = merged(self.config, changes)
        self._write("pgweir.yaml", text if text is not None else yaml_text(self.config))

    def _start(self):
        allow_root = ["--allow-root"] if os.geteuid() == 0 else []
        self.process = start_process(
            ["setpriv", "--pdeathsig=KILL", self.binary, *allow_root, self.config_path],
            self.log_path, cwd=self.folder)
        wait_until(self._answers, "pgweir answers", timeout=20)

    def _answers(self):
        assert self.process.poll() is None, f"pgweir ended at its start:\n{self.log()}"
        try:
            with socket.create_connection((self.host, self.port), timeout=1) as probe:
                probe.sendall(b"\0\0\0\x08\x04\xd2\x16\x2f")  # SSLRequest: one byte comes back
                return probe.recv(1) in (b"N", b"S")
        except OSError:
            return False

    def send(self, which):
        self.process.send_signal(which)

    def wait_for_exit(self, timeout=15):
        self.exit_status = self.process.wait(timeout=timeout)
        return self.exit_status

    def is_running(self):
        return self.process.poll() is None

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def log_contains(self, pattern, timeout=5):
        """Waits until the log has a line that matches; fails with the log otherwise."""
        try:
            return wait_until(lambda: re.search(pattern, self.log()), f"log has {pattern!r}", timeout)
        except AssertionError as late:
            raise AssertionError(f"{late}\n{self.log()}") from None

    def reload(self):
        """HUP, and the wait until pgweir says what became of it."""
        before = len(re.findall(r"(?i)reload", self.log()))
        self.send(signal.SIGHUP)
        wait_until(lambda: len(re.findall(r"(?i)reload", self.log())) > before, "pgweir logs its reload")

    def open_console(self, user="console_admin", dbname="pgbouncer"):
        return self.connect(user, dbname, cursor_factory=psycopg.ClientCursor)

    def console(self, command, **who):
        """Rows of a console command, as dictionaries of text and numbers."""
        with self.open_console(**who) as connection:
            cursor = connection.execute(command)
            if not cursor.description:
                return []
            names = [column.name for column in cursor.description]
            return [dict(zip(names, row)) for row in cursor.fetchall()]

    def waiting_clients(self):
        return sum(row["cl_waiting"] for row in self.console("SHOW POOLS"))

    def http_get(self, path):
        """Status and body."""
        try:
            with urllib.request.urlopen(f"http://{self.host}:{self.http_port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read().decode()

    def close(self):
        """Ends it if it still runs; a crash, a hang or a sanitizer's report fails the test."""
        try:
            if self.process is None:
                return
            if self.exit_status is None:
                if self.is_running():
                    self.send(signal.SIGINT)
                self._must_end()
                assert self.exit_status == 0, f"pgweir ended with {self.exit_status}"
            assert not SANITIZER_REPORT.search(self.log()), "a sanitizer complained"
        finally:
            print(f"--- {json.dumps(self.config)}\n--- pgweir's log:\n{self.log() if self.process else ''}")
            remove_folder(self.folder)

    def _must_end(self):
        try:
            self.wait_for_exit()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("pgweir did not end within 15 s of SIGINT") from None
