"""A PostgreSQL cluster of the tests' own."""

import glob
import os
import signal

import psycopg

from .system import as_postgres, children_of, free_port, new_folder, remove_folder, run, start_process
from .waiting import wait_until

# name -> (password, how PostgreSQL asks for it)
ROLES = {
    "app": ("app secret", "scram-sha-256"),
    "other": ("other secret", "scram-sha-256"),
    "md5_user": ("md5 secret", "md5"),
    "plain_user": ("plain secret", "password"),
    "trust_user": ("trust secret", "trust"),
    "boss": ("boss secret", "scram-sha-256"),  # a superuser
    "monitor": ("monitor secret", "scram-sha-256"),  # a member of pg_monitor
}
DATABASES = ("app", "other")


def binaries():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4]))
    assert found, "PostgreSQL is not installed: run scripts/bootstrap build"
    return found[-1]


class Postgres:
    """Lifecycle: the constructor makes and starts it; close() ends it and removes its folder."""

    def __init__(self):
        self.folder = new_folder()
        self.data = os.path.join(self.folder, "data")
        self.log_path = os.path.join(self.folder, "postgres.log")
        self.host, self.port = "127.0.0.1", free_port()
        self.process = None
        self._make_data()
        self._write_configuration()
        self.start()
        self._create_roles_and_databases()

    def _make_data(self):
        run(as_postgres([f"{binaries()}/initdb", "--pgdata", self.data, "--username=postgres",
                         "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]), cwd="/")

    def _write_configuration(self):
        with open(f"{self.data}/postgresql.auto.conf", "a", encoding="utf-8") as settings:
            settings.write(
                f"listen_addresses = '{self.host}'\nport = {self.port}\n"
                f"unix_socket_directories = '{self.folder}'\nmax_connections = 300\nfsync = off\n"
                "password_encryption = 'scram-sha-256'\nlog_connections = on\n"
                "shared_buffers = 64MB\nautovacuum = off\nlog_line_prefix = '%m [%p] %u@%d '\n")
        with open(f"{self.data}/pg_hba.conf", "w", encoding="utf-8") as rules:
            rules.write("local all,replication postgres trust\n")
            rules.write("host all nobody 127.0.0.1/32 scram-sha-256\n")  # a role that is not there
            for role, (_, method) in ROLES.items():
                rules.write(f"local all {role} {method}\nhost all {role} 127.0.0.1/32 {method}\n")

    def _create_roles_and_databases(self):
        for role, (password, method) in ROLES.items():
            kind = "md5" if method == "md5" else "scram-sha-256"
            self.sql(f"SET password_encryption = '{kind}'; CREATE ROLE {role} LOGIN PASSWORD '{password}'")
        for database in DATABASES:
            self.sql(f"CREATE DATABASE {database} OWNER app")
        self.sql("GRANT pg_signal_backend TO app; GRANT pg_monitor TO monitor; ALTER ROLE boss SUPERUSER")

    def start(self):
        assert self.process is None
        self.process = start_process(as_postgres([f"{binaries()}/postgres", "-D", self.data]),
                                     self.log_path, cwd="/")
        wait_until(self._answers, f"PostgreSQL answers, see {self.log_path}", timeout=30)

    def _answers(self):
        assert self.process.poll() is None, f"PostgreSQL ended, see {self.log_path}"
        try:
            self.connect().close()
            return True
        except psycopg.OperationalError:
            return False

    def stop(self, how=signal.SIGINT):
        """SIGINT: fast, as pg_ctl stop. SIGQUIT: immediate. SIGKILL: a crash."""
        children = children_of(self.process.pid)
        self.process.send_signal(how)
        self.process.wait(timeout=30)
        self.process = None
        wait_until(lambda: not any(os.path.exists(f"/proc/{child}") for child in children),
                   "the processes of the stopped PostgreSQL are gone")

    def restart(self, how=signal.SIGINT):
        self.stop(how)
        self.start()

    def freeze(self):
        """Stops every process of the cluster where it stands: a host that hangs."""
        for pid in (self.process.pid, *children_of(self.process.pid)):
            os.kill(pid, signal.SIGSTOP)

    def thaw(self):
        for pid in (*children_of(self.process.pid), self.process.pid):
            os.kill(pid, signal.SIGCONT)

    def close(self):
        if self.process is not None:
            self.stop(signal.SIGQUIT)
        remove_folder(self.folder)

    def connect(self, database="postgres"):
        """The harness's own door, past any pooler: superuser over the unix socket."""
        return psycopg.connect(host=self.folder, port=self.port, user="postgres", dbname=database,
                               autocommit=True, application_name="harness")

    def sql(self, statements, database="postgres"):
        """Runs statements; rows of the last one, when it has any."""
        with self.connect(database) as connection:
            cursor = connection.execute(statements)
            while cursor.nextset():
                pass
            return cursor.fetchall() if cursor.description else []

    def value(self, query, database="postgres"):
        return self.sql(query, database)[0][0]

    def backends(self, user="app"):
        """Process ids of this user's server connections."""
        rows = self.sql(f"SELECT pid FROM pg_stat_activity WHERE usename = '{user}'"
                        " AND backend_type = 'client backend' ORDER BY pid")
        return [pid for (pid,) in rows]

    def running(self, statement):
        """How many backends run exactly this statement now."""
        return self.value("SELECT count(*) FROM pg_stat_activity"
                          f" WHERE state = 'active' AND query = $q${statement}$q$")
