"""The others, each an object with one hook."""

import logging
import math
import os
import sys
import threading
import time

from vstats_core import hookimpl


class Bad:
    """A collector that does what it is told to."""

    def __init__(self, work):
        self.work = work
        self.calls = 0

    @hookimpl
    def vstats_collect(self):
        self.calls += 1
        return self.work(self.calls)


def crash(calls):
    raise RuntimeError(f"call {calls}")


def crash_at_times(calls):
    return crash(calls) if calls % 10 == 5 else {"at_times": calls}


def nest(calls):
    value = []
    for _ in range(5000):
        value = [value]
    return {"deep": value}


def log(calls):
    for number in range(5000):
        logging.getLogger("acme").warning("line %d of call %d", number, calls)
    return {"logs": calls}


def leak(calls):
    threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
    return {"leaks": calls}


hangs = Bad(lambda calls: time.sleep(3600))
hangs_in_c = Bad(lambda calls: os.read(os.pipe()[0], 1))
crashes = Bad(crash)
crashes_at_times = Bad(crash_at_times)
nan = Bad(lambda calls: {"nan": math.nan})
object_ = Bad(lambda calls: {"object": object()})
huge = Bad(lambda calls: {"huge": ["x" * 100] * 100_000})
wordy = Bad(lambda calls: {"os": dict.fromkeys(("name", "version", "kernel", "arch"), "w" * 2000)})
half_cpu = Bad(lambda calls: {"cpu": {"usage": 1000}})
reserved = Bad(lambda calls: {"hostname": "forged", "collectors": {}})
deep = Bad(nest)
exits = Bad(sys.exit)
logs = Bad(log)
prints = Bad(lambda calls: print("noise") or {"prints": calls})
slow = Bad(lambda calls: time.sleep(3) or {"slow": calls})
leaks = Bad(leak)
