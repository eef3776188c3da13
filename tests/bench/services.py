"""PostgreSQL and the poolers before it, each as processes of the bench's own."""

import os
import re
import shutil
import signal
import subprocess
import time

import client
from system import (DATABASE, BenchError, HOST, TOP, as_service, cpu_us, family, free_port, last_lines, memory_kb,
                    postgres_binaries, run, wait_until)

POOL_SIZE = 20


class Service:
    """Lifecycle: start() returns when it answers a query; stop() when all its processes are gone."""

    name, program, stop_signal, database = "", "", signal.SIGTERM, DATABASE
    protocols = ("simple", "extended", "prepared")

    def __init__(self, folder, server_port=0):
        self.folder = os.path.join(folder, self.name)
        os.makedirs(self.folder, exist_ok=True)
        os.chmod(self.folder, 0o777)
        self.log_path = os.path.join(self.folder, "log")
        self.server_port = server_port
        self.port = free_port()
        self.process = None
        self.postgres = None  # the server behind it, once it runs

    def command(self):
        raise NotImplementedError

    def version(self):
        """The first number that --version says."""
        said = run([self.program, "--version"])
        found = re.search(r"\d+(\.\d+)+", said)
        return found.group() if found else said.strip()

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def start(self):
        command = as_service(self.command(), self.stop_signal.name.removeprefix("SIG"))
        with open(self.log_path, "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(command, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True)
        wait_until(self.answers, f"{self.name} answers, see {self.log_path}")

    def answers(self):
        self.check()
        try:
            with client.Client(self.port, self.database, timeout=5) as session:
                session.query("SELECT 1")
            return True
        except (OSError, client.ServerError):
            return False

    def check(self):
        status = self.process.poll()
        if status is not None:
            with open(self.log_path, encoding="utf-8", errors="replace") as log:
                raise BenchError(f"{self.name} ended with status {status}: {last_lines(log.read())}")

    def revive(self):
        """So that one crash costs one measurement only."""
        if self.process.poll() is not None:
            self.start()

    def renew(self):
        """Another process, as of its start."""
        self.stop()
        self.start()

    def stop(self):
        if self.process is None:
            return
        members = family(self.process.pid)
        if self.process.poll() is None:
            self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(timeout=15)
            wait_until(lambda: not any(is_alive(pid) for pid in members), f"{self.name} is gone", timeout=15)
        except (subprocess.TimeoutExpired, BenchError):
            for pid in filter(is_alive, members):
                os.kill(pid, signal.SIGKILL)
            self.process.wait()
        self.process = None

    def cpu_us(self):
        return cpu_us(self.process.pid)

    def memory_kb(self):
        return memory_kb(self.process.pid)


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


class Postgres(Service):
    name, stop_signal, database = "postgres", signal.SIGINT, "postgres"  # SIGINT: fast shutdown

    def __init__(self, folder, loader=(), scale=10):
        super().__init__(folder)
        self.loader = loader  # the command that starts the program
        self.program = f"{postgres_binaries()}/postgres"
        self.data = os.path.join(self.folder, "data")
        self.scale = scale

    def prepare(self):
        run(as_service([f"{postgres_binaries()}/initdb", "--pgdata", self.data, "--username=postgres", "--auth=trust",
                        "--encoding=UTF8", "--locale=C", "--no-sync"]))
        with open(f"{self.data}/postgresql.auto.conf", "a", encoding="utf-8") as settings:
            settings.write(f"listen_addresses = '{HOST}'\nport = {self.port}\nunix_socket_directories = ''\n"
                           "max_connections = 300\nshared_buffers = 256MB\nfsync = off\nautovacuum = off\n")
        self.start()
        here = [f"--host={HOST}", f"--port={self.port}", "--username=postgres", DATABASE]
        run([f"{postgres_binaries()}/createdb", *here])
        run([f"{postgres_binaries()}/pgbench", "--initialize", "--quiet", f"--scale={self.scale}", *here])

    def command(self):
        return [*self.loader, self.program, "-D", self.data]


class Standby(Postgres):
    """A copy of the primary that streams from it."""

    def __init__(self, folder, primary, number):
        self.name = f"standby{number}"
        super().__init__(folder, primary.loader)
        self.primary = primary

    def prepare(self):
        run(as_service([f"{postgres_binaries()}/pg_basebackup", "--pgdata", self.data, f"--host={HOST}",
                        f"--port={self.primary.port}", "--username=postgres", "--checkpoint=fast",
                        "--write-recovery-conf", "--no-sync"]))
        with open(f"{self.data}/postgresql.auto.conf", "a", encoding="utf-8") as settings:
            settings.write(f"port = {self.port}\n")
        self.start()


class Pgweir(Service):
    """A copy of the program, since somebody may rebuild it during the run, in a place that postgres can read."""

    def __init__(self, folder, server_port, name, workers, program=f"{TOP}/build/release/pgweir"):
        self.name = name
        super().__init__(folder, server_port)
        self.workers = workers
        self.program = os.path.join(self.folder, "pgweir")
        try:
            shutil.copy2(program, self.program)
        except OSError as missing:
            raise BenchError(f"no pgweir to measure: {missing}") from missing

    def version(self):
        said = re.search(r"\d+(\.\d+)+\S*", run([self.program, "--version"]))
        built = time.strftime("%m-%d %H:%M", time.localtime(os.path.getmtime(self.program)))
        return f"{said.group() if said else '?'} (built {built})"

    def command(self):
        config = self.write("pgweir.yaml", f"""\
listen:
  - {{host: {HOST}, port: {self.port}}}
http: {{host: {HOST}, port: {free_port()}}}
workers: {self.workers}
limits: {{clients: 12000}}
auth: {{method: trust}}
admin: {{users: [postgres]}}
log: {{level: warning}}
databases:
  "*": {{host: {HOST}, port: {self.server_port}, pool_size: {POOL_SIZE}}}
{"pool: {lazy_begin: true}" if self.name == "pgweir-lazy" else ""}
""")
        return [self.program, config]


class RoutingPgweir(Pgweir):
    """Before a primary and its standbys; reads: as routing.reads has it, so that primary is: without."""

    def __init__(self, folder, nodes, name, reads, program=f"{TOP}/build/release/pgweir"):
        super().__init__(folder, nodes[0].port, name, 1, program)
        self.nodes, self.reads, self.servers = nodes, reads, POOL_SIZE

    def weight(self, number):
        return 0 if number and self.name == "pgweir-deciding" else 1

    def renew(self):
        super().renew()
        self.knows("pgbench_accounts")

    def knows(self, table):
        """Waits until it knows that the standbys are well, and the table if it reads there."""
        with client.Client(self.port, "pgbouncer") as console:
            # Cells of text have their length in front.
            wait_until(lambda: console.query("SHOW NODES").count(b"\x07standby") == len(self.nodes) - 1,
                       "the standbys are well")
            if self.reads != "primary":
                wait_until(lambda: b"\x04read" in console.query(f"EXPLAIN ROUTE SELECT * FROM {table}"), f"{table} is known")

    def command(self):
        command = super().command()
        nodes = "".join(f"      - {{name: node{number}, host: {HOST}, port: {node.port}, weight: {self.weight(number)}}}\n"
                        for number, node in enumerate(self.nodes))
        with open(command[1], encoding="utf-8") as file:
            plain = file.read().partition("databases:")[0]
        config = self.write("pgweir.yaml", f"""\
{plain}clusters:
  main:
    nodes:
{nodes}    monitor: {{user: postgres, database: {DATABASE}}}
    routing: {{reads: {self.reads}, max_lag: 10s}}
databases:
  {DATABASE}: {{cluster: main, pool_size: {self.servers}}}
""")
        return [self.program, config]


class PgBouncer(Service):
    name, program = "pgbouncer", "/usr/sbin/pgbouncer"

    def __init__(self, folder, server_port, program=None):
        super().__init__(folder, server_port)
        self.program = program or self.program
        numbers = [int(number) for number in self.version().split(".")[:2]]
        self.can_prepare = numbers >= [1, 21]
        if not self.can_prepare:
            self.protocols = ("simple", "extended")

    def command(self):
        self.write("users.txt", '"postgres" ""\n')
        prepared = "max_prepared_statements = 200\n" if self.can_prepare else ""
        config = self.write("pgbouncer.ini", f"""\
[databases]
* = host={HOST} port={self.server_port}
[pgbouncer]
listen_addr = {HOST}
listen_port = {self.port}
unix_socket_dir =
auth_type = trust
auth_file = {self.folder}/users.txt
pool_mode = transaction
default_pool_size = {POOL_SIZE}
max_client_conn = 12000
log_connections = 0
log_disconnections = 0
{prepared}""")
        return [self.program, "--quiet", config]


class HaProxy(Service):
    """One thread, as the others have: a relay without a pool, so each client has its own backend."""

    name, program = "haproxy", "/usr/sbin/haproxy"

    def version(self):
        return re.search(r"\d+(\.\d+)+", run([self.program, "-v"])).group()

    def command(self):
        config = self.write("haproxy.cfg", f"""\
global
    maxconn 1000
    nbthread 1
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
listen postgres
    bind {HOST}:{self.port}
    server postgres {HOST}:{self.server_port}
""")
        return [self.program, "-db", "-q", "-f", config]


class Pgpool(Service):
    """Raw mode without load balancing: the least that Pgpool-II can do. It pools by session only."""

    name, program, stop_signal = "pgpool", "/usr/sbin/pgpool", signal.SIGINT  # fast shutdown
    children = 100

    def command(self):
        self.write("pool_hba.conf", "")
        pcp = self.write("pcp.conf", "")
        config = self.write("pgpool.conf", f"""\
backend_clustering_mode = 'raw'
listen_addresses = '{HOST}'
port = {self.port}
socket_dir = '{self.folder}'
pcp_listen_addresses = '{HOST}'
pcp_port = {free_port()}
pcp_socket_dir = '{self.folder}'
wd_ipc_socket_dir = '{self.folder}'
backend_hostname0 = '{HOST}'
backend_port0 = {self.server_port}
backend_weight0 = 1
num_init_children = {self.children}
max_pool = 1
child_life_time = 0
connection_cache = on
load_balance_mode = off
enable_pool_hba = off
pool_passwd = ''
pid_file_name = '{self.folder}/pgpool.pid'
logdir = '{self.folder}'
log_min_messages = error
""")
        return [self.program, "-n", "-D", "-f", config, "-F", pcp]


class BalancingPgpool(Pgpool):
    """Streaming replication mode with load balancing: what it is for."""

    name = "pgpool-balancing"

    def __init__(self, folder, nodes):
        super().__init__(folder, nodes[0].port)
        self.nodes = nodes

    def command(self):
        command = super().command()
        config = command[command.index("-f") + 1]
        with open(config, encoding="utf-8") as file:
            lines = [line for line in file.read().splitlines()
                     if not line.startswith(("backend_", "load_balance_mode"))]
        lines += ["backend_clustering_mode = 'streaming_replication'", "load_balance_mode = on",
                  "sr_check_period = 10", "sr_check_user = 'postgres'", f"sr_check_database = '{DATABASE}'"]
        for number, node in enumerate(self.nodes):
            lines += [f"backend_hostname{number} = '{HOST}'", f"backend_port{number} = {node.port}",
                      f"backend_weight{number} = 1"]
        self.write("pgpool.conf", "\n".join(lines) + "\n")
        return command


def make(name, folder, server_port, options, nodes=()):
    """The pooler of that name, not started yet. nodes: the primary and its standbys."""
    if name == "pgweir-off":
        return RoutingPgweir(folder, nodes, name, "primary")
    if name == "pgweir-standby":
        return RoutingPgweir(folder, nodes, name, "standby")
    if name == "pgweir-deciding":
        return RoutingPgweir(folder, nodes, name, "any")
    if name == "pgweir-routing":
        return RoutingPgweir(folder, nodes, name, "any")
    if name == "pgpool-balancing":
        return BalancingPgpool(folder, nodes)
    others = {"pgbouncer": lambda: PgBouncer(folder, server_port, options.pgbouncer),
              "haproxy": lambda: HaProxy(folder, server_port),
              "pgpool": lambda: Pgpool(folder, server_port)}
    if name in others:
        return others[name]()
    if name in options.also:
        return Pgweir(folder, server_port, name, 1, options.also[name])
    if name == "pgweir-lazy":
        return Pgweir(folder, server_port, name, 1)
    return Pgweir(folder, server_port, name, int(name.removeprefix("pgweir-")))
