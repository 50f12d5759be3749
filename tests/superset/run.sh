#!/usr/bin/env bash
# Superset, for real: installs it (once), starts it beside `ovate demo`, and draws in a headless Chromium.
#
#   tests/superset/run.sh [pytest's arguments]
#
# Needs Python 3.11, Debian's chromium (installed here if we are root) and a binary: OVATE_BIN, else target/debug/ovate.
# Pictures are kept in artefacts/superset.
set -euo pipefail
cd "$(dirname "$0")/../.."
cache="${XDG_CACHE_HOME:-$HOME/.cache}/ovate"

if [ ! -x /usr/bin/chromium ]; then
  [ "$(id -u)" = 0 ] || { echo "Debian's package chromium must be installed" >&2; exit 2; }
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium > /dev/null
fi
tests/components/superset.sh install
exec "${SUPERSET_VENV:-$cache/superset-venv}/bin/python" -m pytest -q -p no:cacheprovider tests/superset "$@"
