"""What the checks of the Python applications stand on. See: README.md"""

import contextlib
import gc
import os
import socket
import sys
import threading
import time
import traceback

from psycopg2.extensions import connection as Connection

THREADS = int(os.environ["THREADS"])
CHECK_SECONDS_MAX = 20
CHECKS = []
_failed = []


def must(got, want, what=""):
    assert got == want, f"{what} got {got!r}, want {want!r}".strip()


def check(function):
    """Its name, with spaces, is what the check is called."""
    CHECKS.append(function)
    return function


class InThread(threading.Thread):
    def __init__(self, function, *arguments):
        super().__init__(daemon=True)
        self.function, self.arguments = function, arguments
        self.result = self.failure = None

    def run(self):
        try:
            self.result = self.function(*self.arguments)
        except BaseException as failure:  # it is told by whoever waits for this thread
            self.failure = failure


def wait_for(threads, seconds=CHECK_SECONDS_MAX):
    deadline = time.monotonic() + seconds
    while any(thread.is_alive() for thread in threads):
        failure = next((thread.failure for thread in threads if thread.failure), None)
        if failure:
            raise failure
        if time.monotonic() > deadline:
            raise AssertionError(f"{sum(thread.is_alive() for thread in threads)} threads hang after {seconds} s")
        time.sleep(0.005)
    for thread in threads:
        if thread.failure:
            raise thread.failure
    return [thread.result for thread in threads]


def in_threads(function, count=THREADS):
    """Runs function(0) … function(count - 1) at once; returns their results, or raises the first failure."""
    threads = [InThread(function, number) for number in range(count)]
    for thread in threads:
        thread.start()
    return wait_for(threads)


def where(failure):
    """The last line of an application's own file."""
    frames = [frame for frame in traceback.extract_tb(failure.__traceback__) if "frameworks.d" in frame.filename
              and os.path.basename(frame.filename) != "checks.py"]
    return f"{os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else "?"


def hang_up():
    """What a failed check left, threads in the middle of something, must not fail the next ones."""
    for connection in [thing for thing in gc.get_objects() if issubclass(type(thing), Connection)]:
        with contextlib.suppress(Exception), socket.socket(fileno=os.dup(connection.fileno())) as its_socket:
            its_socket.shutdown(socket.SHUT_RDWR)


def run_checks(begin_anew):
    """Runs them in their order; begin_anew() is called after one that failed. Ends the program."""
    for function in CHECKS:
        name, started = function.__name__.replace("_", " "), time.monotonic()
        try:
            wait_for(start([function]), CHECK_SECONDS_MAX + 5)
            print(f"ok {name}")
        except Exception as failure:
            _failed.append(name)
            said = " ".join(str(failure).split())[:400]
            print(f"failed {name}: {type(failure).__name__} {said} at {where(failure)}")
            hang_up()
            begin_anew()
        print(f"# {time.monotonic() - started:.2f} s", flush=True)
    sys.stdout.flush()
    os._exit(1 if _failed else 0)  # threads that hang would keep it


def start(functions):
    threads = [InThread(function) for function in functions]
    for thread in threads:
        thread.start()
    return threads
