"""pgbench -S before one of the poolers, and what it cost the pooler."""

import dataclasses
import glob
import os
import re
import subprocess

from system import BenchError, DATABASE, HOST, last_lines, postgres_binaries


@dataclasses.dataclass
class Outcome:
    transactions: int
    tps: float
    cpu_us: float  # of the pooler, for one transaction
    latencies_us: list


class Pgbench:
    """Lifecycle: the constructor starts it; outcome() waits for its end; close() ends it in any case."""

    def __init__(self, service, clients, seconds, protocol="simple", reconnect=False, logged=False, options=()):
        self.service, self.seconds = service, seconds
        self.log_prefix = os.path.join(service.folder, f"latency-{os.getpid()}")
        command = [f"{postgres_binaries()}/pgbench", *(options or ["--select-only"]), "--no-vacuum", f"--protocol={protocol}",
                   f"--client={clients}", f"--jobs={min(2, clients)}", f"--time={seconds}", f"--host={HOST}",
                   f"--port={service.port}", "--username=postgres"]
        command += ["--connect"] if reconnect else []
        command += ["--log", f"--log-prefix={self.log_prefix}"] if logged else []
        self._remove_logs()
        self.cpu_us_before = service.cpu_us()
        self.process = subprocess.Popen([*command, DATABASE], cwd="/", stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                        start_new_session=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self._remove_logs()

    def is_running(self):
        return self.process.poll() is None

    def outcome(self):
        try:
            said, _ = self.process.communicate(timeout=self.seconds + 60)
        except subprocess.TimeoutExpired as hung:
            raise BenchError(f"pgbench hung, 60 s over its time, before {self.service.name}") from hung
        self.service.check()
        cpu_us = self.service.cpu_us() - self.cpu_us_before
        done = re.search(r"actually processed: (\d+)", said)
        rate = re.search(r"tps = ([\d.]+)", said)
        if self.process.returncode != 0 or not done or not rate or int(done.group(1)) == 0:
            raise BenchError(f"pgbench before {self.service.name}: {first_error(said)}")
        transactions = int(done.group(1))
        return Outcome(transactions, float(rate.group(1)), cpu_us / transactions, sorted(self._latencies()))

    def _logs(self):
        return glob.glob(f"{self.log_prefix}*")

    def _latencies(self):
        for path in self._logs():
            with open(path, encoding="ascii") as log:
                for line in log:
                    yield int(line.split(maxsplit=3)[2])

    def _remove_logs(self):
        for path in self._logs():
            os.remove(path)


def first_error(said):
    lines = [line for line in said.splitlines() if "error" in line.lower() or "abort" in line.lower()]
    return lines[0] if lines else last_lines(said)


def measure(service, clients, seconds, **how):
    with Pgbench(service, clients, seconds, **how) as running:
        return running.outcome()


def percentile(ordered, part):
    """The smallest value that `part` of the values do not exceed."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]
