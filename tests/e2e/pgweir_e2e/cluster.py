"""A primary with streaming standbys."""

import shutil

from .postgres import Postgres, binaries
from .system import as_postgres, run
from .waiting import wait_until

MONITOR = {"user": "monitor", "password": "monitor secret", "interval": "50ms"}


class Standby(Postgres):
    """A copy of another server that streams from it; promote() makes it one of its own."""

    def __init__(self, primary):
        self.primary = primary
        super().__init__()

    def _make_data(self):
        run(as_postgres([f"{binaries()}/pg_basebackup", "--pgdata", self.data, "--host", self.primary.folder,
                         "--port", str(self.primary.port), "--username=postgres", "--checkpoint=fast",
                         "--write-recovery-conf", "--no-sync"]), cwd="/")

    def _create_roles_and_databases(self):
        pass

    def promote(self):
        self.sql("SELECT pg_promote()")

    def restore(self, kind=None):
        """Begins anew where it was, as a copy of the primary, or as a server of another `kind`."""
        kind = kind or Standby
        shutil.rmtree(self.data)
        kind._make_data(self)
        self._write_configuration()
        self.start()
        kind._create_roles_and_databases(self)


class Cluster:
    """Lifecycle: the constructor makes and starts the nodes; close() ends them."""

    def __init__(self, standbys=2):
        self.nodes = {"primary": Postgres()}
        for number in range(1, standbys + 1):
            self.nodes[f"standby{number}"] = Standby(self.nodes["primary"])
        wait_until(lambda: self.primary.value("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") == standbys,
                   "the standbys stream", timeout=30)

    def __getattr__(self, name):
        try:
            return self.__dict__["nodes"][name]
        except KeyError:
            raise AttributeError(name) from None

    def sections(self, order=None, pool_size=2, monitor=None, **keys):
        """Of pgweir.yaml: this cluster, and all databases in it."""
        nodes = [{"name": name, "host": self.nodes[name].host, "port": self.nodes[name].port}
                 for name in order or self.nodes]
        return {"clusters": {"main": {"nodes": nodes, "monitor": monitor or MONITOR, **keys}},
                "databases": {"*": {"cluster": "main", "host": None, "port": None, "pool_size": pool_size}}}

    def caught_up(self, name):
        end = self.primary.value("SELECT pg_current_wal_flush_lsn()")
        return self.nodes[name].value(f"SELECT pg_last_wal_replay_lsn() >= '{end}'")

    def close(self):
        for node in self.nodes.values():
            node.close()


def follow(standby, new_primary):
    """The standby streams from another server from now on."""
    standby.sql(f"ALTER SYSTEM SET primary_conninfo = 'host={new_primary.folder} port={new_primary.port} user=postgres'")
    standby.sql("SELECT pg_reload_conf()")
