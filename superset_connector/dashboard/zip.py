#!/usr/bin/env python3
"""Makes the file that Superset imports out of the YAML files beside this script.

    dashboard/zip.py ovate-dashboard.zip [--database ovate://user:password@host:8888/]
                                         [--base-map tile://https://tiles.example.org/{z}/{x}/{y}.png]

The base map is the connector's own unless another is named. Needs nothing but Python.
"""

from __future__ import annotations

import argparse
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
ROOT = "ovate-dashboard"  # Superset takes the first folder's name for nothing, but wants one
BASE_MAP = "tile:///ovate/map/{z}/{x}/{y}.svg"
DATABASE = "ovate://127.0.0.1:8888/"


def write(target: Path, base_map: str = BASE_MAP, database: str = DATABASE) -> None:
    """Writes the archive. The same files give the same bytes."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(HERE.rglob("*.yaml")):
            name = zipfile.ZipInfo(f"{ROOT}/{file.relative_to(HERE).as_posix()}")
            name.compress_type = zipfile.ZIP_DEFLATED
            text = file.read_text(encoding="utf-8")
            archive.writestr(name, text.replace(BASE_MAP, base_map).replace(DATABASE, database))


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Makes the dashboard's import file")
    parser.add_argument("target", type=Path)
    parser.add_argument("--base-map", default=BASE_MAP, metavar="URL", help="tiles, after `tile://`")
    parser.add_argument("--database", default=DATABASE, metavar="URI", help="where Superset finds Ovate")
    options = parser.parse_args()
    write(options.target, options.base_map, options.database)


if __name__ == "__main__":
    main()
