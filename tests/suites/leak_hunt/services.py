"""The cluster of the hunt and what stands before it."""

import contextlib
import os
import shutil
import signal
import socket

import psycopg
from pgweir_e2e.pooler import Direct, Endpoint, Pooler
from pgweir_e2e.postgres import Postgres
from pgweir_e2e.system import as_postgres, free_port, new_folder, remove_folder, start_process
from pgweir_e2e.waiting import wait_until

CONNECTIONS_BESIDE = 50
# A lock that was left behind must not keep the hunt from its end.
LOCK_TIMEOUT = "20s"

__all__ = ["Cluster", "Direct", "PgBouncer", "defaults", "end", "end_cluster", "pgweir"]


class Cluster(Postgres):
    """Everybody may log in. Roles and databases have settings of their own, as those of applications do."""

    def __init__(self, options, functions):
        self.options, self.functions = options, functions
        super().__init__()

    def _write_configuration(self):
        with open(f"{self.data}/postgresql.auto.conf", "a", encoding="utf-8") as file:
            file.write(f"listen_addresses = '{self.host}'\nport = {self.port}\n"
                       f"unix_socket_directories = '{self.folder}'\nfsync = off\nautovacuum = off\n"
                       f"max_connections = {self.options.clients + CONNECTIONS_BESIDE}\nlock_timeout = {LOCK_TIMEOUT}\n"
                       "log_line_prefix = '%m [%p] %q%u %a: '\n"
                       "log_min_messages = log\nlog_min_error_statement = fatal\n"
                       f"log_statement = {'all' if self.options.log_statements else 'none'}\n")

    def _create_roles_and_databases(self):
        self.sql("CREATE ROLE app LOGIN; CREATE ROLE boss LOGIN SUPERUSER; CREATE ROLE clerk; CREATE ROLE auditor; "
                 "GRANT clerk, auditor TO app")
        self.sql("CREATE DATABASE leaks")
        self.sql("ALTER ROLE app SET app.region = 'role'; ALTER ROLE app SET maintenance_work_mem = '6MB'; "
                 "ALTER DATABASE leaks SET random_page_cost = 2; ALTER DATABASE leaks SET enable_seqscan = on")
        for function in self.functions:
            self.sql(function, "leaks")


def defaults(cluster, hunt, settings):
    """By user: what a session begins with that asks for nothing."""
    names = [*settings.PLAIN, *settings.SOLO, *settings.OF_SUPERUSERS, *settings.BEFORE_TEMPORARY, "role",
             "session_authorization"]
    hidden = {hunt.SUPERUSER: list(settings.HIDDEN_FROM_OTHERS)}
    found = {}
    for user in ("app", hunt.SUPERUSER):
        with psycopg.connect(host=cluster.host, port=cluster.port, user=user, dbname=hunt.DATABASE,
                             client_encoding="UTF8") as connection:
            found[user] = {name: connection.execute(f"SHOW {name}").fetchone()[0]
                           for name in (*names, *hidden.get(user, ()))}
            region = connection.execute("SELECT current_setting('app.region', true)").fetchone()[0]
            found[user]["app.region"] = region or ""
    return found


def pgweir(cluster, options, workers):
    return Pooler(cluster, pool_size=options.pool_size, workers=workers, binary=options.pgweir,
                  pool={"lazy_begin": options.lazy_begin},
                  auth={"method": "trust", "users_file": None}, limits={"worker_load": 10})  # clients change workers


class PgBouncer(Endpoint):
    """Lifecycle: the constructor starts it; close() ends it."""

    def __init__(self, cluster, pool_size):
        self.folder, self.port = new_folder(), free_port()
        path = os.path.join(self.folder, "pgbouncer.ini")
        self.log_path = os.path.join(self.folder, "pgbouncer.log")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"[databases]\n* = host={cluster.host} port={cluster.port}\n[pgbouncer]\n"
                       f"listen_addr = {self.host}\nlisten_port = {self.port}\nunix_socket_dir =\n"
                       f"pool_mode = transaction\ndefault_pool_size = {pool_size}\nmax_client_conn = 1000\n"
                       "ignore_startup_parameters = options,extra_float_digits,search_path,work_mem,enable_seqscan,"
                       "intervalstyle\nauth_type = trust\nauth_file = users.txt\n")
        with open(os.path.join(self.folder, "users.txt"), "w", encoding="utf-8") as file:
            file.write('"app" ""\n"boss" ""\n')
        self.process = start_process(as_postgres(["/usr/sbin/pgbouncer", path]), self.log_path, cwd=self.folder)
        wait_until(self._answers, "PgBouncer answers", timeout=20)

    def _answers(self):
        with contextlib.suppress(OSError), socket.create_connection((self.host, self.port), timeout=1):
            return True
        return False

    def close(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=15)
        remove_folder(self.folder)


def end(endpoint, folder):
    """A crash, a hang or a sanitizer's report of pgweir is an AssertionError."""
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/pooler.log", "w", encoding="utf-8") as log, contextlib.redirect_stdout(log):
        endpoint.close()


def end_cluster(cluster, folder):
    os.makedirs(folder, exist_ok=True)
    shutil.copy2(cluster.log_path, f"{folder}/postgres.log")
    cluster.close()
