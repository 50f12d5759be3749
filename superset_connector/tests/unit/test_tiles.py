"""The base map's tiles: lines where the degrees are."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from ovate_connector.superset.tiles import tile


def _labels(z: int, x: int, y: int) -> dict[str, tuple[float, float]]:
    svg = ElementTree.fromstring(tile(z, x, y))
    return {
        str(text.text): (float(text.attrib["x"]) - 4, float(text.attrib["y"]) + 4)
        for text in svg.iter("{http://www.w3.org/2000/svg}text")
    }


def test_null_island_is_in_the_middle_of_the_world() -> None:
    assert _labels(0, 0, 0)["0, 0"] == (128, 128)


def test_a_crossing_lies_where_web_mercator_has_it() -> None:
    # Zürich at zoom 13: 47.38 N, 8.54 E is in tile 4290/2868 of the usual pyramid, at these pixels of it.
    left, top = _labels(13, 4290, 2868)["47.38, 8.54"]
    assert left == pytest.approx(85.11, abs=0.01)
    assert top == pytest.approx(157.89, abs=0.01)


def test_neighbours_agree_on_the_line_between_them() -> None:
    here, there = _labels(13, 4290, 2868), _labels(13, 4290, 2867)
    shared = here.keys() & there.keys()
    assert shared
    assert all(there[label][1] - here[label][1] == pytest.approx(256, abs=0.02) for label in shared)


def test_lines_are_never_crowded() -> None:
    for zoom in range(23):
        path = re.search(r'path d="([^"L]*)"', tile(zoom, 2**zoom // 2, 2**zoom // 3))
        assert path is not None
        assert 1 <= path[1].count("M") <= 12


def test_the_lake_is_where_zurich_is_and_nowhere_else() -> None:
    assert 'fill="#16283c"' in tile(13, 4290, 2868)
    assert "#16283c" not in tile(13, 4200, 2868)


@pytest.mark.parametrize("number", [(0, 1, 0), (0, 0, -1), (-1, 0, 0), (23, 0, 0), (10**9, 0, 0)])
def test_there_is_no_tile_outside_the_world(number: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="no tile"):
        tile(*number)
