"""The dashboard's import file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

ZIP = Path(__file__).parents[2] / "dashboard" / "zip.py"


def texts(target: Path, *options: str) -> dict[str, str]:
    subprocess.run([sys.executable, ZIP, target, *options], check=True)
    with ZipFile(target) as archive:
        return {name.split("/", 1)[1]: archive.read(name).decode() for name in archive.namelist()}


def test_the_same_files_make_the_same_bytes(tmp_path: Path) -> None:
    assert len(texts(tmp_path / "a.zip")) >= 10
    texts(tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_the_database_and_the_base_map_can_be_others(tmp_path: Path) -> None:
    database, tiles = "ovate://user:password@ovate:8888/", "tile://https://tiles.example.org/{z}/{x}/{y}.png"
    made = texts(tmp_path / "a.zip", "--database", database, "--base-map", tiles)
    assert f"sqlalchemy_uri: {database}\n" in made["databases/Ovate.yaml"]
    assert tiles in made["charts/devices.yaml"]
    assert not any("tile:///ovate" in text for text in made.values())
