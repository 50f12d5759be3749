"""A base map for deck.gl charts that needs no key and no outside address, drawn by Superset itself.

    /ovate/map/{z}/{x}/{y}.svg      a tile of the usual Web Mercator pyramid

Superset draws a chart's base map from tiles where its style begins with `tile://`. A grid of degrees says where
a point is and how far apart points are. Of the world there is only the water of the demonstration's city; whoever has
a tile server gives its address instead.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from .zurich import LAKE, RIVERS, Course

ROUTE = "/ovate/map/<int:z>/<int:x>/<int:y>.svg"
ZOOM_MAX = 22

_SIZE = 256
_LINES_APART = 112  # pixels, at least
_LABEL_WIDTH = 128  # pixels, at most
_METRES_PER_DEGREE = 111_195.0
_WATER = "#16283c"
_GROUND, _LINE, _TEXT = "#0b0e14", "#232c3b", "#8a97ab"


def tile(z: int, x: int, y: int) -> str:
    """The SVG of a tile; `ValueError` if there is none of this number."""
    across = 2**z if 0 <= z <= ZOOM_MAX else 0
    if not (0 <= x < across and 0 <= y < across):
        raise ValueError(f"there is no tile {z}/{x}/{y}")
    step, digits = _step(360 / (_SIZE * across) * _LINES_APART)
    # What is just outside is drawn too: the label of a crossing there reaches into this tile.
    west = _longitude(max(0, x - _LABEL_WIDTH / _SIZE), across)
    north, south = _latitude(y - 16 / _SIZE, across), _latitude(y + 1 + 16 / _SIZE, across)
    meridians = [(v, (_column(v, across) - x) * _SIZE) for v in _multiples(west, _longitude(x + 1, across), step)]
    parallels = [(v, (_row(v, across) - y) * _SIZE) for v in _multiples(south, north, step)]
    lines = [f"M{left:.2f} 0V{_SIZE}" for _, left in meridians] + [f"M0 {top:.2f}H{_SIZE}" for _, top in parallels]
    labels = [
        f'<text x="{left + 4:.2f}" y="{top - 4:.2f}">{latitude:.{digits}f}, {longitude:.{digits}f}</text>'
        for longitude, left in meridians
        for latitude, top in parallels
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{2 * _SIZE}" height="{2 * _SIZE}" '
        f'viewBox="0 0 {_SIZE} {_SIZE}"><rect width="{_SIZE}" height="{_SIZE}" fill="{_GROUND}"/>'
        f"{_water(x, y, across)}"
        f'<path d="{"".join(lines)}" stroke="{_LINE}" fill="none"/>'
        f'<g fill="{_TEXT}" font-family="sans-serif" font-size="12">{"".join(labels)}</g></svg>'
    )


def _water(x: int, y: int, across: int) -> str:
    """The lake and the rivers, if they can be in this tile."""

    def points(course: Course) -> list[tuple[float, float]]:
        return [
            ((_column(longitude, across) - x) * _SIZE, (_row(latitude, across) - y) * _SIZE)
            for latitude, longitude in course
        ]

    def path(course: Course, style: str) -> str:
        at = points(course)
        near = all(min(side) <= 2 * _SIZE and max(side) >= -_SIZE for side in zip(*at, strict=True))
        line = "L".join(f"{left:.1f} {top:.1f}" for left, top in at)
        return f'<path d="M{line}" {style}/>' if near else ""

    metre = _SIZE * across / 360 / _METRES_PER_DEGREE / math.cos(math.radians(LAKE[0][0]))
    shores = path(LAKE, f'fill="{_WATER}"')
    courses = [
        path(course, f'fill="none" stroke="{_WATER}" stroke-width="{max(1.5, width * metre):.1f}"')
        for course, width in RIVERS
    ]
    return shores + "".join(courses)


def _step(least: float) -> tuple[float, int]:
    """The smallest of 1, 2, 5, 10, … that is no less, and how many decimals it has."""
    power = math.floor(math.log10(least))
    for factor in (1, 2, 5, 10):
        if (step := factor * 10.0**power) >= least:
            break
    return step, max(0, -math.floor(math.log10(step) + 1e-9))


def _multiples(low: float, high: float, step: float) -> Iterator[float]:
    return (number * step for number in range(math.ceil(low / step), math.floor(high / step) + 1))


# Web Mercator: columns and rows of tiles, fractions included.


def _longitude(column: float, across: int) -> float:
    return column / across * 360 - 180


def _latitude(row: float, across: int) -> float:
    return math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * row / across))))


def _column(longitude: float, across: int) -> float:
    return (longitude + 180) / 360 * across


def _row(latitude: float, across: int) -> float:
    return (1 - math.asinh(math.tan(math.radians(latitude))) / math.pi) / 2 * across
