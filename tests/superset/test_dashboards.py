"""Dashboards in a browser: what each chart was given is what SQL says, it is drawn, and it moves with the data."""

from __future__ import annotations

from collections import Counter

from browser import Browser, Dashboard, dump
from conftest import ARTEFACTS, Imported

from demo import Demo, wait_for

WINDOW_MS = 120_000
DEVICES = "SELECT longitude, latitude FROM DEVICES WHERE longitude IS NOT NULL AND latitude IS NOT NULL GROUP BY 1, 2"
#: Superset's own pages ask this for a picture, to be counted.
COUNTER = "apachesuperset.gateway.scarf.sh"
TOTAL = "SUM(total_count_per_deviceid)"


def _literal(ms: int) -> str:
    return f"MILLIS_TO_TIMESTAMP({ms})"


def _alerts(demo: Demo, start_ms: int, end_ms: int) -> Counter[tuple[float, float]]:
    rows = demo.sql(
        f"SELECT deviceLongitude, deviceLatitude, {TOTAL} FROM ALERTS "
        f"WHERE __time >= {_literal(start_ms)} AND __time < {_literal(end_ms)} GROUP BY 1, 2"
    )
    return Counter({(longitude, latitude): total for longitude, latitude, total in rows})


def _check_maps(drawn: Dashboard, demo: Demo, before: int) -> None:
    """The three charts of the case study. `before` is how many events there were before the page was opened."""
    assert drawn.errors == []
    for name in ("devices", "events", "alerts"):
        assert not drawn.charts[name].empty, name
        assert drawn.charts[name].ink > 0.0002, (name, drawn.charts[name].ink)

    devices = {(row["longitude"], row["latitude"]) for row in drawn.charts["devices"].rows}
    assert devices == {(row[0], row[1]) for row in demo.sql(DEVICES)}
    events = {(row["deviceLongitude"], row["deviceLatitude"]): row["count"] for row in drawn.charts["events"].rows}
    assert set(events) <= devices
    assert before <= sum(events.values()) <= demo.value("SELECT COUNT(*) FROM EVENTS_GEO")


def _check_alerts(drawn: Dashboard, demo: Demo, newest_before: int) -> int:
    """The alerts of the last two minutes. Some may have come in while the page was drawn, none can have gone.

    Returns where the two minutes begin.
    """
    (result,) = drawn.charts["alerts"].results
    start, end = result["from_dttm"], result["to_dttm"]
    assert end - start == WINDOW_MS
    shown = Counter({(row["deviceLongitude"], row["deviceLatitude"]): row[TOTAL] for row in result["data"]})
    assert shown
    assert _alerts(demo, start, min(end, newest_before + 1)) <= shown <= _alerts(demo, start, end)
    return int(start)


def _check_moving(page: Browser, imported: Imported, demo: Demo, name: str, charts: int) -> Dashboard:
    """Opens the dashboard twice, with a new alert in between."""

    def newest() -> int:
        return int(demo.value("SELECT TIMESTAMP_TO_MILLIS(MAX(__time)) FROM ALERTS"))

    events, known = demo.value("SELECT COUNT(*) FROM EVENTS_GEO"), newest()
    first = page.dashboard(imported.dashboard, name, charts)
    _check_maps(first, demo, events)
    start = _check_alerts(first, demo, known)

    # A window closes every 30 seconds.
    known = newest()
    newer = wait_for("a newer alert", lambda: (ms := newest()) > known and ms, 120)
    second = page.dashboard(imported.dashboard, f"{name}-later", charts)
    _check_maps(second, demo, events)
    assert _check_alerts(second, demo, newer) > start
    dump(second, ARTEFACTS / f"{name}.json")
    return second


def test_the_published_export_is_drawn_unmodified_through_stock_pydruid(
    page: Browser, case_study: Imported, demo: Demo
) -> None:
    drawn = _check_moving(page, case_study, demo, "case-study", 3)
    # Its base map is elsewhere, and was not to be had; the charts do not need it.
    assert any("mapbox" in address for address in drawn.refused)


def test_our_dashboard_is_drawn_with_nothing_from_elsewhere(page: Browser, ours: Imported, demo: Demo) -> None:
    drawn = _check_moving(page, ours, demo, "ovate", 5)
    assert [address for address in drawn.refused if COUNTER not in address] == []
    assert drawn.tiles >= 3
    for name in ("events per minute", "alerting devices"):
        assert not drawn.charts[name].empty, name
        assert drawn.charts[name].ink > 0.01, (name, drawn.charts[name].ink)

    (per_minute,) = drawn.charts["events per minute"].results
    start, end = per_minute["from_dttm"], per_minute["to_dttm"]
    rows = demo.sql(
        "SELECT TIMESTAMP_TO_MILLIS(TIME_FLOOR(__time, 'PT1M')), eventNotificationName, COUNT(*) FROM EVENTS_GEO "
        f"WHERE __time >= {_literal(start)} AND __time < {_literal(end)} GROUP BY 1, 2"
    )
    expected = {(minute, name): count for minute, name, count in rows}
    shown = {
        (row["__time"], name): row[name]
        for row in per_minute["data"]
        for name in ("accessGranted", "accessRejected")
        if row.get(name) is not None
    }
    # Minutes that were over when the page was drawn; the last may still have been filling.
    last = max(minute for minute, _ in expected)
    done = {key: count for key, count in expected.items() if key[0] < last - 60_000}
    assert done
    assert {key: shown.get(key) for key in done} == done

    listed = drawn.charts["alerting devices"].rows
    assert 0 < len(listed) <= 10
    for row in listed:
        asked = demo.sql(
            f"SELECT COUNT(*), {TOTAL}, TIMESTAMP_TO_MILLIS(MAX(__time)) FROM ALERTS "
            f"WHERE deviceId = '{row['deviceId']}' AND __time <= {_literal(row['latest'])}"
        )
        assert asked == [[row["count"], row["rejected"], row["latest"]]]
    assert [row["rejected"] for row in listed] == sorted((row["rejected"] for row in listed), reverse=True)
