#!/usr/bin/env python3
"""Makes the file that Superset imports out of the YAML files beside this script.

    dashboard/zip.py ovate-dashboard.zip [--base-map tile://https://tiles.example.org/{z}/{x}/{y}.png]

The base map is the connector's own unless another is named. Needs nothing but Python.
"""

from __future__ import annotations

import argparse
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
ROOT = "ovate-dashboard"  # Superset takes the first folder's name for nothing, but wants one
BASE_MAP = "tile:///ovate/map/{z}/{x}/{y}.svg"


def write(target: Path, base_map: str = BASE_MAP) -> None:
    """Writes the archive. The same files give the same bytes."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(HERE.rglob("*.yaml")):
            name = zipfile.ZipInfo(f"{ROOT}/{file.relative_to(HERE).as_posix()}")
            name.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(name, file.read_text(encoding="utf-8").replace(BASE_MAP, base_map))


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Makes the dashboard's import file")
    parser.add_argument("target", type=Path)
    parser.add_argument("--base-map", default=BASE_MAP, metavar="URL", help="tiles, after `tile://`")
    options = parser.parse_args()
    write(options.target, options.base_map)


if __name__ == "__main__":
    main()
