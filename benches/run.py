#!/usr/bin/env python3
"""Runs the benchmarks: `python3 benches/run.py [--quick] [--systems …]`; see README.md beside this file.

Makes its own virtual environment (once) and goes on inside it, so that nothing has to be installed by hand.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "ovate"


def enter_environment() -> None:
    """Continues in the environment of requirements.txt; comes back only when already there."""
    home = CACHE / "bench-venv"
    python = home / "bin" / "python"
    if Path(sys.prefix).resolve() == home.resolve():
        return
    requirements = HERE / "requirements.txt"
    mark = home / f".installed-{hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]}"
    if not mark.exists():
        if not python.exists():
            venv.create(home, with_pip=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(requirements)]
        subprocess.run(install, check=True)
        mark.touch()
    os.execv(python, [str(python), str(Path(__file__).resolve()), *sys.argv[1:]])


if __name__ == "__main__":
    enter_environment()
    sys.path.insert(0, str(HERE))
    from ovate_bench.main import main

    sys.exit(main(sys.argv[1:], CACHE))
