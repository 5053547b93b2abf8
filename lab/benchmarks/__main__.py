"""``python -m lab.benchmarks``: measure, and write ``lab/benchmarks/results.md``."""

import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click

from lab.benchmarks import agent, fanout, growth, herd, intake, memory, realistic, results, stalled
from lab.benchmarks.bench import Bench
from lab.benchmarks.results import Section

MEASURES: dict[str, Callable[[Bench], Section]] = {
    "fanout": fanout.measure,
    "realistic": realistic.measure,
    "intake": intake.measure,
    "memory": memory.measure,
    "herd": herd.measure,
    "stalled": stalled.measure,
    "agent": agent.measure,
    "growth": growth.measure,
}
HERE = Path(__file__).parent


@click.command()
@click.option("--quick", is_flag=True, help="A short look whether it works: fan-out, one round.")
@click.option("--only", multiple=True, type=click.Choice(list(MEASURES)), help="Only this one.")
@click.option("--rounds", default=5, show_default=True, help="How often each is measured.")
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), help="A folder.")
@click.option(
    "--install-glances", is_flag=True, help="Install Glances into a cache, to compare with."
)
def main(
    *, quick: bool, only: tuple[str, ...], rounds: int, output: Path | None, install_glances: bool
) -> None:
    """Measure vStats beside its peers.

    Results go to lab/benchmarks/results.md, or into the folder of --output; those of --quick go
    there only.
    """
    if sys.platform != "linux":
        raise click.ClickException("the benchmarks read Linux's /proc; run them there")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if install_glances:
        agent.install_glances()
    names = only or (("fanout",) if quick else tuple(MEASURES))
    folder = output or (None if quick else HERE)
    sections = results.kept(folder / "results.json") if folder else {}
    facts = results.machine()
    # Thousands of connections are open files.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory() as workshop:
        bench = Bench(Path(workshop), 1 if quick else rounds, quick)
        try:
            bench.build()
        except RuntimeError as error:
            raise click.ClickException(str(error)) from None
        for name in names:
            click.echo(f"{name} ...", err=True)
            sections[name] = _measure(bench, name)
            ordered = {name: sections[name] for name in MEASURES if name in sections}
            if folder:
                _write(folder, facts, ordered, bench)
    click.echo(results.page(facts, {name: sections[name] for name in names}))


def _measure(bench: Bench, name: str) -> Section:
    started = time.monotonic()
    bench.notes, bench.discarded, bench.plots = [], 0, {}
    section = MEASURES[name](bench)
    section.took = time.monotonic() - started
    section.notes += bench.notes
    if bench.discarded:
        section.notes.append(
            f"{bench.discarded} runs were thrown away: the generator was busy for more than 0.7 of "
            "the time."
        )
    section.notes.append(f"It took {section.took:.0f} s; rounds: {bench.rounds}.")
    return section


def _write(folder: Path, facts: dict[str, str], sections: dict[str, Section], bench: Bench) -> None:
    (folder / "plots").mkdir(parents=True, exist_ok=True)
    for name, drawing in bench.plots.items():
        (folder / "plots" / name).write_text(drawing)
    results.keep(folder / "results.json", facts, sections)
    (folder / "results.md").write_text(results.page(facts, sections))


if __name__ == "__main__":
    main()
