"""The units as files: what they expose, and that systemd can read them."""

import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

UNITS = Path(__file__).parents[2] / "systemd"
SERVICES = ["vstats-server.service", "vstats-agent.service"]


@pytest.fixture(scope="module")
def analyze():
    """Run ``systemd-analyze``; a gate may not do without it."""
    program = shutil.which("systemd-analyze")
    if program is None:
        assert "CI" not in os.environ, "systemd-analyze is missing: apt-get install systemd"
        pytest.skip("systemd-analyze is not installed")

    def run(*arguments):
        command = [program, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    return run


def exposure(analyze, unit):
    result = analyze("security", "--offline=true", "--no-pager", unit)
    return float(re.search(r"exposure level for \S+: ([\d.]+)", result.stdout)[1])


def copied(folder, *names):
    for name in names:
        if (UNITS / name).is_dir():
            shutil.copytree(UNITS / name, folder / name)
        else:
            shutil.copy(UNITS / name, folder)
    return folder / names[0]


@pytest.mark.parametrize("unit", SERVICES)
def test_a_service_is_exposed_to_1_2_at_most(analyze, tmp_path, unit):
    assert exposure(analyze, copied(tmp_path, unit)) <= 1.2


def test_a_relay_that_is_handed_its_socket_is_exposed_to_half_at_most(analyze, tmp_path):
    unit = copied(tmp_path, "vstats-server.service", "vstats-server.service.d")

    assert exposure(analyze, unit) <= 0.5


def test_the_measure_tells_a_bare_unit_from_ours(analyze, tmp_path):
    bare = tmp_path / "bare.service"
    bare.write_text("[Service]\nExecStart=/bin/true\n")

    assert exposure(analyze, bare) > 9


def test_systemd_finds_nothing_wrong_with_the_units(analyze, tmp_path):
    names = ["vstats-server.service", "vstats-agent.service", "vstats-server.socket"]
    copied(tmp_path, *names, "vstats-server.service.d")
    for unit in tmp_path.glob("*.service"):
        unit.write_text(unit.read_text().replace("/opt/vstats/bin/", "/bin/true #"))

    result = analyze("verify", "--recursive-errors=no", *(tmp_path / name for name in names))

    assert (result.returncode, result.stderr) == (0, "")


def test_the_wheel_holds_the_units(tmp_path):
    (wheel,) = WheelBuilder(str(UNITS.parent)).build(directory=str(tmp_path))
    shipped = {
        name.removeprefix("vstats_core/systemd/"): zipfile.ZipFile(wheel).read(name)
        for name in zipfile.ZipFile(wheel).namelist()
        if name.startswith("vstats_core/systemd/")
    }

    assert shipped == {
        str(path.relative_to(UNITS)): path.read_bytes()
        for path in UNITS.rglob("*")
        if path.is_file()
    }
