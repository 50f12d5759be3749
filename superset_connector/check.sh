#!/usr/bin/env bash
# Checks the Python package: style, types, tests against a real server, and SQLAlchemy's own suite, on SQLAlchemy 2.x
# and on 1.4 (which Superset pins); then the wheel in an environment that has nothing else.
#
#   OVATE_BIN=target/release/ovate superset_connector/check.sh              everything but Superset
#   OVATE_BIN=… superset_connector/check.sh --superset [VENV]               also the engine spec in a real Superset 6.1
#
# Environments are kept in ${XDG_CACHE_HOME:-~/.cache}/ovate and made anew when the requirements change.
# VENV, which must have Superset installed, is superset-venv there if it is not named.
set -euo pipefail
shopt -s inherit_errexit
here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/ovate
python=${PYTHON:-python3}
superset=
if [ "${1:-}" = --superset ]; then superset=${2:-$cache/superset-venv}; fi

[ -n "${OVATE_BIN:-}" ] && [ -x "$OVATE_BIN" ] || { echo "OVATE_BIN must name the ovate binary to test against" >&2; exit 2; }
OVATE_BIN=$(realpath "$OVATE_BIN"); export OVATE_BIN
cd "$here"

# environment NAME REQUIREMENTS: prints its bin folder
environment() {
  local folder=$cache/$1 stamp
  stamp=$("$python" --version; pwd; sha256sum "$2" pyproject.toml)
  if [ "$(cat "$folder/.stamp" 2>/dev/null)" != "$stamp" ]; then
    rm -rf "$folder"
    "$python" -m venv "$folder"
    "$folder/bin/python" -m pip install -q --disable-pip-version-check -r "$2" >&2
    "$folder/bin/python" -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e . >&2
    printf '%s' "$stamp" > "$folder/.stamp"
  fi
  echo "$folder/bin"
}
say() { printf '\n== %s\n' "$*"; }

two=$(environment connector-venv requirements-dev.txt)
one=$(environment connector-venv-14 requirements-dev-14.txt)

say "style";  "$two/ruff" format --check . ; "$two/ruff" check .
say "types";  "$two/mypy"
for bin in "$two" "$one"; do
  say "tests on SQLAlchemy $("$bin/python" -c 'import sqlalchemy; print(sqlalchemy.__version__)')"
  "$bin/pytest"
  say "SQLAlchemy's own suite"
  (cd tests/compliance && "$bin/pytest" -c pytest.ini .)
done

say "the wheel, on its own"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$two/python" -m pip wheel -q --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir "$scratch" .
"$python" -m venv "$scratch/venv"
"$scratch/venv/bin/python" -m pip install -q --disable-pip-version-check "$scratch"/*.whl
"$scratch/venv/bin/python" tests/wheel/check_wheel.py

if [ -n "$superset" ]; then
  say "the engine spec in Superset"
  "$superset/bin/python" -m pip install -q --disable-pip-version-check --no-deps -e .
  "$superset/bin/python" tests/superset/check_spec.py
fi
