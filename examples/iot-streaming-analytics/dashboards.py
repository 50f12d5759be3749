"""Imports two dashboards into a running Superset: the case study's, as it was published, and Ovate's own.

    dashboards.py SUPERSET_URL USER:PASSWORD@HOST:PORT

The first draws through stock pydruid, the second through `ovate://`. Prints where they are.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "superset"))

from superset_client import Superset  # noqa: E402


def main() -> None:
    """Does what the command line says."""
    url, store = sys.argv[1:]
    superset = Superset(url)
    published = superset.import_dashboard(
        ROOT / "tests" / "data" / "IOT-STREAMING-ANALYTICS.zip", f"druid://{store}/druid/v2/sql"
    )
    with tempfile.TemporaryDirectory() as folder:
        export = Path(folder) / "ovate-dashboard.zip"
        script = ROOT / "superset_connector" / "dashboard" / "zip.py"
        subprocess.run([sys.executable, str(script), str(export)], check=True)
        ours = superset.import_dashboard(export, f"ovate://{store}/")
    print(f"the published dashboard  {url}/superset/dashboard/{published}/")
    print(f"Ovate's own dashboard    {url}/superset/dashboard/{ours}/")


if __name__ == "__main__":
    main()
