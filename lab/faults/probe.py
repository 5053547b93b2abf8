"""Run one of the programs as it is, and watch it: ``python -m lab.faults.probe MODULE ...``.

SIGUSR2 makes it write the number of its asyncio tasks to the file ``VSTATS_FAULTS_TASKS``.
Each report that an agent hands to its uplink is first written down in ``VSTATS_FAULTS_LOG``: a
line is ``HOST EPOCH NUMBER SECONDS``, of ``VSTATS_FAULTS_HOST``, ``lab.faults.sequence`` and the
machine's monotonic clock.
``VSTATS_FAULTS_KNOBS``, like ``vstats_core.agent.link.uplink:PING_INTERVAL=2``, sets constants:
only where a quick run has no minute to wait for what a constant says.
"""

import asyncio
import importlib
import os
import re
import signal
import sys
import time
from functools import reduce
from pathlib import Path
from types import FrameType

from vstats_core.agent.link.uplink import Uplink

NUMBERED = re.compile(rb'"sequence":\{"epoch":"(\w+)","number":(\d+)\}')


def main() -> None:
    """Turn the knobs, stand ready, run."""
    for knob in filter(None, os.environ.get("VSTATS_FAULTS_KNOBS", "").split(",")):
        place, _, value = knob.partition("=")
        module, _, name = place.partition(":")
        *path, last = name.split(".")
        found = reduce(getattr, path, importlib.import_module(module))
        getattr(found, last)  # a name that is not there must not pass for a knob
        setattr(found, last, float(value))
    signal.signal(signal.SIGUSR2, _count_tasks)
    if "VSTATS_FAULTS_LOG" in os.environ:
        _write_down(Path(os.environ["VSTATS_FAULTS_LOG"]), os.environ["VSTATS_FAULTS_HOST"])
    program = sys.argv.pop(1)
    sys.argv[0] = program
    importlib.import_module(f"{program}.commands.main").main()


def _write_down(file: Path, host: str) -> None:
    """Write down the number of each report before the uplink has it."""
    log = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    offer = Uplink.offer

    def noted(uplink: Uplink, report: bytes) -> None:
        found = NUMBERED.search(report)
        if found is not None:
            epoch, number = found[1].decode(), found[2].decode()
            os.write(log, f"{host} {epoch} {number} {time.monotonic():.6f}\n".encode())
        offer(uplink, report)

    Uplink.offer = noted  # type: ignore[assignment,method-assign]


def _count_tasks(_: int, __: FrameType | None) -> None:
    try:
        count = len(asyncio.all_tasks())
    except RuntimeError:  # no loop runs
        count = 0
    file = Path(os.environ["VSTATS_FAULTS_TASKS"])
    file.with_suffix(".new").write_text(str(count))
    file.with_suffix(".new").replace(file)


if __name__ == "__main__":
    main()
