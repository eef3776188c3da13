"""Waiting for facts. The only module of the tests that sleeps."""

import functools
import threading
import time
from concurrent.futures import Future


def wait_until(predicate, why, timeout=10.0, every=0.02):
    """Returns the first true value of predicate(); fails after `timeout` seconds, saying why (or what why() says then)."""
    deadline = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {timeout} s: {why() if callable(why) else why}")
        time.sleep(every)


def in_background(function):
    """Starts it in a thread that never keeps pytest from ending; result(seconds) waits for it."""
    future = Future()

    def run():
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def at_once(count, function):
    """Runs function(0) … function(count - 1), each in its own thread; returns their results. The test's limit ends it."""
    running = [in_background(functools.partial(function, number)) for number in range(count)]
    return [future.result() for future in running]
