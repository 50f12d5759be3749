"""What the case study's dashboard asks, as Superset writes it."""

from __future__ import annotations


def dashboard(since: str, until: str) -> dict[str, str]:
    """The statement of each chart; `since` and `until` (`2026-11-23 20:21:00`) bound the alerts."""
    return {
        "devices": 'SELECT "longitude" AS "longitude", "latitude" AS "latitude" FROM "druid"."DEVICES" '
        'WHERE NOT "longitude" IS NULL AND NOT "latitude" IS NULL GROUP BY "longitude", "latitude" LIMIT 10000',
        "events": 'SELECT "deviceLongitude" AS "deviceLongitude", "deviceLatitude" AS "deviceLatitude", '
        'COUNT(*) AS "count" FROM "druid"."EVENTS_GEO" '
        'WHERE NOT "deviceLongitude" IS NULL AND NOT "deviceLatitude" IS NULL '
        'GROUP BY "deviceLongitude", "deviceLatitude" ORDER BY "count" DESC LIMIT 10000',
        "alerts": 'SELECT "deviceLongitude" AS "deviceLongitude", "deviceLatitude" AS "deviceLatitude", '
        'SUM("total_count_per_deviceid") AS "SUM(total_count_per_deviceid)" FROM "druid"."ALERTS" '
        f"WHERE \"__time\" >= '{since}.000000' AND \"__time\" < '{until}.000000' "
        'AND NOT "deviceLongitude" IS NULL AND NOT "deviceLatitude" IS NULL '
        'GROUP BY "deviceLongitude", "deviceLatitude" ORDER BY "SUM(total_count_per_deviceid)" DESC LIMIT 10000',
    }
