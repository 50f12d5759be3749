"""Prints how Superset scores the engine spec, feature by feature: `ovate-superset-score`.

Exits with 1 when the score is below `--at-least`.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

GOAL = 131


def diagnose() -> dict[str, Any]:
    """Superset's own diagnosis. It wants an application around it, with a database of its own in memory."""
    import os

    os.environ.setdefault("SUPERSET_SECRET_KEY", "only for the score, nothing is stored")
    os.environ.setdefault("SUPERSET__SQLALCHEMY_DATABASE_URI", "sqlite://")
    from superset.app import create_app

    with create_app().app_context():
        from superset.db_engine_specs import load_engine_specs
        from superset.db_engine_specs.lib import diagnose as superset_diagnose

        specs = {spec.engine: spec for spec in load_engine_specs()}
        if "ovate" not in specs:
            raise SystemExit("Superset does not find the engine spec; is ovate-connector installed beside it?")
        diagnosis: dict[str, Any] = superset_diagnose(specs["ovate"])
        return diagnosis


def main(arguments: list[str] | None = None) -> None:
    """Print the score."""
    parser = argparse.ArgumentParser(description="Superset's feature score of the Ovate engine spec")
    parser.add_argument("--at-least", type=int, default=GOAL, metavar="N", help="fail below (default: %(default)s)")
    options = parser.parse_args(arguments)
    diagnosis = diagnose()
    score, max_score = diagnosis.pop("score"), diagnosis.pop("max_score")
    grains = diagnosis.pop("time_grains")
    print(f"time grains: {sum(grains.values())} of {len(grains)}")
    for name, value in diagnosis.items():
        print(f"{name}: {value}")
    print(f"score: {score} of {max_score}")
    if score < options.at_least:
        sys.exit(f"the score is below {options.at_least}")


if __name__ == "__main__":
    main()
