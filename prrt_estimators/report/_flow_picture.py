"""The cohort flow as a drawing whose text is text, for light and dark pages."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Sequence

_WIDTH, _BOX, _CLASS, _LINE, _GAP = 640, 300, 160, 17, 26


def flow_picture(steps: Sequence[tuple[str, int | str]]) -> str:
    """Return an SVG of boxes: the table, who was left out beside it, the patients compared, and the two classes below.

    Parameters
    ----------
    steps : list of (text, count)
        From :func:`prrt_estimators.report._conclusions.flow`.

    Returns
    -------
    str
        ``<svg>`` that takes its colours from the page.
    """
    whole = [one for one in steps if one[0].startswith("patients")]
    out = [(text.removeprefix("left out: "), count) for text, count in steps if text.startswith("left out")]
    classes = [one for one in steps if one[0].startswith("with ")]
    parts, y = [], 8.0
    previous: float | None = None
    for k, (text, count) in enumerate(whole):
        height = _height([f"{text}: {count}"], _BOX)
        parts.append(_box(20, y, _BOX, [f"{text}: {count}"]))
        if previous is not None:
            parts.append(_arrow(20 + _BOX / 2, previous, 20 + _BOX / 2, y))
        previous = y + height
        if k == 0 and out:
            lines = [f"{count} left out: {reason}" for reason, count in out]
            own = _height(lines, 270)
            middle = previous + _GAP
            parts.append(_box(350, middle - 8, 270, lines))
            parts.append(_arrow(20 + _BOX / 2, middle + 6, 350, middle + 6))
            y = middle - 8 + own + _GAP / 2
        else:
            y = previous + _GAP
    bottom = previous or y
    for k, (text, count) in enumerate(classes):
        left = 20 + k * (_CLASS + 10)
        parts.append(_box(left, bottom + _GAP, _CLASS, [f"{text.removeprefix('with ')}: {count}"]))
        middle = left + _CLASS / 2
        parts.append(_arrow(min(middle, 20 + _BOX), bottom, middle, bottom + _GAP))
    tallest = max((_height([f"{text.removeprefix('with ')}: {count}"], _CLASS) for text, count in classes), default=0)
    height = bottom + (_GAP + tallest if classes else 0) + 8
    label = "; ".join(f"{text}: {count}" for text, count in steps)
    return (
        f'<svg class="flow" viewBox="0 0 {_WIDTH} {height:.0f}" role="img" aria-label="{html.escape(label)}">'
        + "".join(parts)
        + "</svg>"
    )


def _wrapped(lines: list[str], width: float) -> list[str]:
    return [part for line in lines for part in textwrap.wrap(line, max(int(width / 7.4), 8))]


def _height(lines: list[str], width: float) -> float:
    return _LINE * len(_wrapped(lines, width)) + 14


def _box(x: float, y: float, width: float, lines: list[str]) -> str:
    texts = "".join(
        f'<text x="{x + 10:.0f}" y="{y + 20 + _LINE * k:.0f}">{html.escape(line)}</text>'
        for k, line in enumerate(_wrapped(lines, width))
    )
    return f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{_height(lines, width):.0f}" rx="3"/>{texts}'


def _arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    line = f'<line x1="{x1:.0f}" y1="{y1:.0f}" x2="{x2:.0f}" y2="{y2:.0f}"/>'
    if y1 != y2:
        head = f"{x2 - 4:.0f},{y2 - 7:.0f} {x2 + 4:.0f},{y2 - 7:.0f} {x2:.0f},{y2:.0f}"
    else:
        head = f"{x2 - 7:.0f},{y2 - 4:.0f} {x2 - 7:.0f},{y2 + 4:.0f} {x2:.0f},{y2:.0f}"
    return f'{line}<polygon points="{head}"/>'
