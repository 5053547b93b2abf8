"""Draw lines as SVG that can be read on a light page and on a dark one."""

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape

__all__ = ["lines"]

WIDTH, HEIGHT = 760, 400
LEFT, RIGHT, TOP, BOTTOM = 72, 230, 48, 56
# Told apart by the colour-blind as well, on white and on black.
COLOURS = ("#0a84c6", "#d9730d", "#2e9e5b", "#b45fc2", "#8a8a8a")
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #6e7781 }
  .title { font-size: 16px; font-weight: 600 }
  .grid { stroke: #8884; stroke-width: 1 }
  .axis { stroke: #888; stroke-width: 1 }
  .line { fill: none; stroke-width: 2.5; stroke-linejoin: round }
  @media (prefers-color-scheme: light) { text { fill: #24292f } }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } }
"""

Points = Sequence[tuple[float, float]]


def lines(  # noqa: PLR0913 - what a plot may differ in
    title: str,
    axes: tuple[str, str],
    series: Mapping[str, Points],
    *,
    palette: Sequence[str] = (),
    log_x: bool = True,
    log_y: bool = True,
) -> str:
    """Return a plot with a line for each series; x and y are logarithmic unless told.

    A name has the colour of its place in the palette, so that it is the same in every plot.
    """
    names = [*palette, *(name for name in series if name not in palette)]
    x_label, y_label = axes
    points = [point for line in series.values() for point in line]
    xs = _ticks_log([x for x, _ in points]) if log_x else _ticks([x for x, _ in points])
    ys = _ticks_log([y for _, y in points]) if log_y else _ticks([y for _, y in points])
    to_x = _scale(xs, LEFT, WIDTH - RIGHT, log=log_x)
    to_y = _scale(ys, HEIGHT - BOTTOM, TOP, log=log_y)
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    middle = 'text-anchor="middle"'
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg"',
        f'  viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"',
        f'  role="img" aria-label="{escape(title)}">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        f'<text class="title" x="{LEFT}" y="24">{escape(title)}</text>',
    ]
    for x in xs:
        at = f"{to_x(x):.1f}"
        parts.append(f'<line class="grid" x1="{at}" x2="{at}" y1="{TOP}" y2="{bottom}"/>')
        parts.append(f'<text {middle} x="{at}" y="{bottom + 18}">{_number(x)}</text>')
    for y in ys:
        at = f"{to_y(y):.1f}"
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{at}" y2="{at}"/>')
        parts.append(
            f'<text x="{LEFT - 8}" y="{to_y(y) + 4:.1f}" text-anchor="end">{_number(y)}</text>'
        )
    parts += [
        f'<line class="axis" x1="{LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}"/>',
        f'<line class="axis" x1="{LEFT}" x2="{LEFT}" y1="{TOP}" y2="{bottom}"/>',
        f'<text {middle} x="{(LEFT + right) / 2}" y="{HEIGHT - 14}">{escape(x_label)}</text>',
        f'<text {middle} transform="translate(18 {(TOP + bottom) / 2}) rotate(-90)">',
        f"{escape(y_label)}</text>",
    ]
    for number, (name, line) in enumerate(series.items()):
        colour = COLOURS[names.index(name) % len(COLOURS)]
        path = " ".join(f"{to_x(x):.1f},{to_y(y):.1f}" for x, y in line)
        parts.append(f'<polyline class="line" stroke="{colour}" points="{path}"/>')
        parts += [
            f'<circle cx="{to_x(x):.1f}" cy="{to_y(y):.1f}" r="4" fill="{colour}">'
            f"<title>{escape(name)}: {_number(x)}, {_number(y)}</title></circle>"
            for x, y in line
        ]
        top = TOP + 8 + number * 22
        parts.append(f'<rect x="{right + 16}" y="{top}" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{right + 34}" y="{top + 11}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _scale(
    ticks: Sequence[float], start: float, end: float, *, log: bool
) -> Callable[[float], float]:
    def place(value: float) -> float:
        return math.log10(max(value, ticks[0])) if log else value

    low, high = place(ticks[0]), place(ticks[-1])
    return lambda value: start + (place(value) - low) / (high - low) * (end - start)


def _ticks_log(values: Sequence[float]) -> list[float]:
    """Return powers of ten around the values, with 2 and 5 between them if these are few."""
    positive = [value for value in values if value > 0] or [1.0]
    low, high = (math.log10(extreme) for extreme in (min(positive), max(positive)))
    first, last = math.floor(low + 1e-9), math.ceil(high - 1e-9)
    if last - first > 2:  # noqa: PLR2004 - decades enough
        return [10.0**power for power in range(first, last + 1)]
    steps = [step * 10.0**power for power in range(first, last + 1) for step in (1, 2, 5)]
    begin = max((step for step in steps if step <= min(positive) * (1 + 1e-9)), default=steps[0])
    end = min((step for step in steps if step >= max(positive) * (1 - 1e-9)), default=steps[-1])
    found = [step for step in steps if begin <= step <= end]
    return found if len(found) > 1 else [begin, begin * 10]


def _ticks(values: Sequence[float]) -> list[float]:
    """Return four to eight round numbers from 0 on."""
    top = max([*values, 1e-9])
    power = 10.0 ** math.floor(math.log10(top))
    step = next(power * part for part in (0.2, 0.25, 0.5, 1, 2) if power * part * 7 >= top)
    return [number * step for number in range(math.ceil(top / step) + 1)]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004 - digits enough
