"""A day of a hundred hosts in a few minutes, to see what grows."""

import time

from lab.benchmarks.plot import lines
from lab.faults.row import Row, Stage, judge
from lab.faults.site import Held, Site, held

__all__ = ["play"]

HOSTS = 100
A_DAY = 8640
"""Reports of one host, at one every ten seconds."""
RATE = 30.0
"""Reports a second that a host sends here."""
SAMPLE = 2.0
WARM_UP = 0.2
"""The share of the run in which memory may still find its size."""
MOST_GROWTH = 1.0
"""MiB of resident memory that the server may gain in the rest of the run."""
MIB = 1024 * 1024
SETTINGS = "[server.limits]\nmessages_per_second = 1000\nmessage_burst = 1000"


def play(stage: Stage) -> list[Row]:
    """Report as fast as two processes can, and look at what the server holds."""
    each = A_DAY // 40 if stage.quick else A_DAY
    hosts = [f"uplink-{number}" for number in range(HOSTS)]
    with Site(stage.folder, hosts, settings=SETTINGS) as site:
        relay = site.start_relay()
        before = held(relay, site.folder)
        site.start_oracle()
        sources = site.start_uplinks(hosts, processes=2, rate=RATE, most=each)
        began = time.monotonic()
        samples: list[tuple[float, Held]] = []
        while any(source.alive and source.said("all offered") is None for source in sources):
            time.sleep(SAMPLE if not stage.quick else SAMPLE / 4)
            samples.append((time.monotonic() - began, held(relay, site.folder)))
            site.ledger.read()
        took = time.monotonic() - began
        rest = [sample for sample in samples if sample[0] > took * WARM_UP]
        growth = _slope(rest) * (took * (1 - WARM_UP)) / MIB
        failures = []
        if growth > MOST_GROWTH:
            failures.append(f"resident memory grows by {growth:.1f} MiB")
        first, last = rest[0][1], rest[-1][1]
        failures += [
            f"{name}: {getattr(first, name)} became {getattr(last, name)}"
            for name in ("descriptors", "threads", "tasks")
            if getattr(last, name) > getattr(first, name)
        ]
        stage.plots["soak.svg"] = _plot(samples)
        least, most = (f(sample.resident / MIB for _, sample in rest) for f in (min, max))
        how = (
            f"{HOSTS} hosts, {HOSTS * each:,} reports in {took:.0f} s, one dashboard; "
            "`messages_per_second` raised for it"
        )
        remark = (
            f"resident memory {least:.1f} to {most:.1f} MiB, its slope {growth:+.2f} MiB over the "
            f"last {1 - WARM_UP:.0%}; descriptors {last.descriptors}, threads {last.threads}, "
            f"tasks {last.tasks}, all constant; after it nothing is left of the connections"
        )
        return [judge(site, "soak", how, 1, held=before, remark=remark, failures=failures)]


def _slope(samples: list[tuple[float, Held]]) -> float:
    """Return bytes a second, by least squares."""
    times = [at for at, _ in samples]
    sizes = [sample.resident for _, sample in samples]
    middle, mean = sum(times) / len(times), sum(sizes) / len(sizes)
    spread = sum((at - middle) ** 2 for at in times)
    pairs = zip(times, sizes, strict=True)
    return sum((at - middle) * (size - mean) for at, size in pairs) / (spread or 1)


def _plot(samples: list[tuple[float, Held]]) -> str:
    series = {
        "RSS, MiB": [(at, sample.resident / MIB) for at, sample in samples],
        "descriptors": [(at, float(sample.descriptors)) for at, sample in samples],
        "tasks": [(at, float(sample.tasks)) for at, sample in samples],
        "threads": [(at, float(sample.threads)) for at, sample in samples],
    }
    every = max(1, len(samples) // 60)
    thin = {name: points[::every] for name, points in series.items()}
    return lines(
        "What the server holds in the soak", ("seconds", ""), thin, log_x=False, log_y=False
    )
