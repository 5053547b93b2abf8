import subprocess
import sys

import pytest

PATIENT = """
import asyncio
from vstats_core.agent.watchdog import watched

async def main():
    with watched({patience}):
        await asyncio.sleep({sleep})
    await asyncio.sleep({after})

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("sleep", "after"),
    [(1.2, 0), (0, 1.2)],
    ids=["while it is watched", "when it is watched no more"],
)
def test_a_loop_that_goes_on_is_left_alone(sleep, after):
    source = PATIENT.format(patience=0.6, sleep=sleep, after=after)

    done = subprocess.run(
        [sys.executable, "-c", source], check=False, timeout=20, capture_output=True
    )

    assert (done.returncode, done.stderr) == (0, b"")
