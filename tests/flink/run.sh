#!/usr/bin/env bash
# The case study on real Kafka and real Flink, in front of the binary in OVATE_BIN (default: target/debug/ovate).
#
#   tests/flink/run.sh [arguments of pytest]
#
# Needs Java 17, Maven, curl and Python 3.10. What it downloads, it keeps in the user's cache. Twelve minutes on two cores
# that had much else to do.
set -euo pipefail
cd "$(dirname "$0")/../.."
venv="${XDG_CACHE_HOME:-$HOME/.cache}/ovate/e2e-venv"
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r tests/e2e/requirements.txt
exec "$venv/bin/python" -m pytest -q -p no:cacheprovider tests/flink "$@"
