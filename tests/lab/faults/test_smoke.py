import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the faults are Linux's")


@pytest.mark.timeout(120)
def test_faults_are_played_and_hold():
    command = (sys.executable, "-m", "lab.faults", "--quick")
    only = ("--only", "agent_killed", "--only", "broken_config")

    done = subprocess.run(
        [*command, *only], cwd=ROOT, capture_output=True, text=True, timeout=110, check=False
    )

    assert done.returncode == 0, done.stderr
    assert "| agent killed [1] |" in done.stdout
    assert "| broken configuration [2] |" in done.stdout
    assert "**no**" not in done.stdout
