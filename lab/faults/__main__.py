"""``python -m lab.faults``: break things for real; write the table of ``docs/reliability.md``."""

import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click

from lab.benchmarks.results import machine
from lab.faults import page
from lab.faults.cases import ALONE, FAULTS, unable
from lab.faults.programs import ROOT
from lab.faults.row import Row, Stage

PAGE = ROOT / "docs" / "reliability.md"
RESULTS = Path(__file__).parent / "results.json"
PLOTS = ROOT / "docs" / "plots"
SIDE_BY_SIDE = 6


@click.command()
@click.option("--quick", is_flag=True, help="A short look whether it holds; nothing is written.")
@click.option("--only", multiple=True, type=click.Choice(list(FAULTS)), help="Only this one.")
@click.option("--rounds", type=int, help="How often each fault is injected.")
@click.option("--dry", is_flag=True, help="Write no file; print the table.")
def main(*, quick: bool, only: tuple[str, ...], rounds: int | None, dry: bool) -> None:
    """Inject every fault for real; end with 1 when something does not hold.

    What was found goes into docs/reliability.md, unless it was a short or a dry run.
    """
    if sys.platform != "linux":
        raise click.ClickException("the faults are Linux's; play them there")
    names = only or tuple(FAULTS)
    facts = machine()
    rows: dict[str, list[Row]] = {}
    with tempfile.TemporaryDirectory(prefix="vstats-faults-") as folder:

        def leave(number: int, _: object) -> None:
            # At once: the threads would play on, and the programs end with us (see Program).
            shutil.rmtree(folder, ignore_errors=True)
            os._exit(128 + number)

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, leave)
        stages = {name: Stage(Path(folder, name), quick, rounds) for name in names}
        # What needs the machine for itself comes last; the others mostly wait.
        waiting = [name for name in names if name not in ALONE]
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            found = [pool.submit(_play, name, stages[name]) for name in waiting]
            rows |= dict(zip(waiting, (each.result() for each in found), strict=True))
        for name in names:
            if name in ALONE:
                rows[name] = _play(name, stages[name])
    if not (quick or dry):
        rows = page.kept(RESULTS) | rows
        rows = {name: rows[name] for name in FAULTS if name in rows}
        page.keep(RESULTS, facts, rows)
        page.put(PAGE, page.table(facts, rows))
        PLOTS.mkdir(exist_ok=True)
        for stage in stages.values():
            for name, drawing in stage.plots.items():
                (PLOTS / name).write_text(drawing)
    click.echo(page.table(facts, rows))
    sys.exit(any(row.failures for found in rows.values() for row in found))


def _play(name: str, stage: Stage) -> list[Row]:
    reason = unable(name)
    if reason:
        click.echo(f"{name}: left out: {reason}", err=True)
        # Where everything is said to be there, nothing is left out.
        return [Row(name, "", 0, failures=[reason])] if "CI" in os.environ else []
    started = time.monotonic()
    click.echo(f"{name} ...", err=True)
    try:
        rows = FAULTS[name](stage)
    except Exception as error:  # noqa: BLE001 - one that cannot be played must not cost the others
        traceback.print_exc()
        rows = [Row(name, "", 0, failures=[f"not played: {type(error).__name__}: {error}"[:300]])]
    for row in rows:
        held = "; ".join(row.failures) or "held"
        click.echo(f"{name}: {row.fault}: {held}", err=True)
    click.echo(f"{name} took {time.monotonic() - started:.0f} s", err=True)
    return rows


if __name__ == "__main__":
    os.environ.pop("VSTATS_TOKEN", None)
    main()
