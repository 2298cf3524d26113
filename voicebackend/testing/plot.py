"""A load test's answers as a picture: how many came when, as SVG, by nothing but text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT, MARGIN = 720, 320, 48
"""Pixels of the picture, and around what is drawn."""
BARS = 40


def latency_plot(latencies: Sequence[float], marks: Mapping[str, float], title: str) -> str:
    """Return a histogram of seconds as SVG, with a line for each mark (``{"p95": 0.42}``).

    The colours do for light and dark pages; the title and the marks are text, for who cannot see it.
    """
    top = _rounded(max([*latencies, *marks.values(), 0.001]))
    counts = [0] * BARS
    for latency in latencies:
        counts[min(BARS - 1, int(latency / top * BARS))] += 1
    drawn = [*_bars(counts), *_axis(top), *_lines(marks, top)]
    told = escape(f"{title}: {', '.join(f'{name} {value:.3f} s' for name, value in marks.items())}")
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{told}"',
            '  font-family="system-ui, sans-serif" font-size="12" fill="#888">',
            f"<title>{told}</title>",
            f'<text x="{MARGIN}" y="24" font-size="15">{escape(title)}</text>',
            *drawn,
            "</svg>\n",
        ]
    )


def _bars(counts: Sequence[int]) -> list[str]:
    width, height, most = (WIDTH - 2 * MARGIN) / BARS, HEIGHT - 2 * MARGIN, max(*counts, 1)
    return [
        f'<rect x="{MARGIN + number * width:.1f}" y="{HEIGHT - MARGIN - count / most * height:.1f}" '
        f'width="{width - 1:.1f}" height="{count / most * height:.1f}" fill="#3b82c4"><title>{count}</title></rect>'
        for number, count in enumerate(counts)
        if count
    ]


def _axis(top: float) -> list[str]:
    y, ticks = HEIGHT - MARGIN, 5
    line = f'<line x1="{MARGIN}" y1="{y}" x2="{WIDTH - MARGIN}" y2="{y}" stroke="#888"/>'
    steps = [(MARGIN + step / ticks * (WIDTH - 2 * MARGIN), top * step / ticks) for step in range(ticks + 1)]
    return [line, *(f'<text x="{x:.0f}" y="{y + 18}" text-anchor="middle">{value:g} s</text>' for x, value in steps)]


def _lines(marks: Mapping[str, float], top: float) -> list[str]:
    drawn = []
    for number, (name, value) in enumerate(marks.items()):
        x, y = MARGIN + value / top * (WIDTH - 2 * MARGIN), MARGIN + 14 * number
        drawn.append(f'<line x1="{x:.1f}" y1="{y}" x2="{x:.1f}" y2="{HEIGHT - MARGIN}" stroke="#d0562b"/>')
        anchor = "end" if x > WIDTH * 0.8 else "start"
        shift = -4 if anchor == "end" else 4
        drawn.append(
            f'<text x="{x + shift:.1f}" y="{y + 8}" text-anchor="{anchor}">{escape(name)} {value:.3f} s</text>'
        )
    return drawn


def _rounded(value: float) -> float:
    """Return the next number of one digit: 0.37 becomes 0.4."""
    unit = 10.0 ** math.floor(math.log10(value))
    return float(f"{math.ceil(value / unit) * unit:g}")
