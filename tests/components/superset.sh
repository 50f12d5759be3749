#!/usr/bin/env bash
# A real Apache Superset on 127.0.0.1, without a container: installed from its wheel, with ovate-connector beside it.
#
#   superset.sh install | up | down | status | wipe
#
# `up` always begins with an empty Superset: its database is a copy of one that was migrated once. User and password are
# admin and admin. Needs Python 3.11. Environment: SUPERSET_DIR (where it runs), SUPERSET_PORT, SUPERSET_VENV, PYTHON.
# Only the process whose pid it wrote itself is ever stopped.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
. "$here/process.sh"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/ovate"
venv="${SUPERSET_VENV:-$cache/superset-venv}"
dir="${SUPERSET_DIR:-$cache/superset}"
port="${SUPERSET_PORT:-18089}"
version=6.1.0
connector="$here/../../superset_connector"

process="$dir/superset.pid"
healthy() { curl --fail --silent --output /dev/null "http://127.0.0.1:$port/health"; }

install() {
  local stamp
  stamp="$version $(sha256sum < "$here/superset-constraints.txt")"
  if [ "$(cat "$venv/.superset" 2>/dev/null)" != "$stamp" ]; then
    rm -rf "$venv"
    "${PYTHON:-python3}" -m venv "$venv"
    # rich and cachetools are imported by Superset and not declared by it. Binary wheels are not preferred on purpose:
    # that would take WTForms-JSON 0.3.4, whose login form does not work.
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --constraint "$here/superset-constraints.txt" \
      "apache-superset==$version" pydruid flask-caching WTForms WTForms-JSON rich cachetools 'setuptools<81' \
      playwright pillow pytest
    printf '%s' "$stamp" > "$venv/.superset"
  fi
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --editable "$connector"
}

# What Superset's own commands and its server find.
configure() {
  mkdir -p "$dir"
  [ -s "$dir/secret" ] || head -c 32 /dev/urandom | base64 > "$dir/secret"
  export SUPERSET_HOME="$dir" SUPERSET_CONFIG_PATH="$here/superset_config.py" FLASK_APP=superset TZ=UTC PATH="$venv/bin:$PATH"
}

# Superset once forbade two datasets of one name. Its migrations have dropped that since, but cannot on SQLite.
allow_one_table_in_two_databases() {
  "$venv/bin/python" - "$dir/superset.db" <<'SCRIPT'
import re
import sqlite3
import sys

database = sqlite3.connect(sys.argv[1])
((statement,),) = database.execute("SELECT sql FROM sqlite_master WHERE name = 'tables'").fetchall()
# The constraint's place in the statement differs from one migration to the next.
relaxed, found = re.subn(r",\s*UNIQUE \(table_name\)|UNIQUE \(table_name\),", "", statement)
assert found == 1, statement
database.execute("DROP TABLE tables")  # there is no dataset yet
database.execute(relaxed)
database.commit()
SCRIPT
}

initialise() {
  [ -f "$dir/initial.db" ] && return
  rm -f "$dir/superset.db"
  superset db upgrade > "$dir/upgrade.log" 2>&1
  superset fab create-admin --username admin --firstname A --lastname B --email admin@example.org --password admin \
    > "$dir/admin.log" 2>&1
  superset init > "$dir/init.log" 2>&1
  allow_one_table_in_two_databases
  mv "$dir/superset.db" "$dir/initial.db"
}

up() {
  if is_alive "$process"; then echo "superset is up, pid $(pid_of "$process"), http://127.0.0.1:$port"; return; fi
  if healthy; then echo "port $port is taken by something else" >&2; return 1; fi
  install
  configure
  initialise
  cp "$dir/initial.db" "$dir/superset.db"
  setsid nohup gunicorn --bind "127.0.0.1:$port" --workers 1 --worker-class gthread --threads 8 --timeout 120 \
    'superset.app:create_app()' > "$dir/superset.log" 2>&1 < /dev/null &
  keep_pid "$process" $!
  for _ in $(seq 240); do
    healthy && { echo "superset $version is up, pid $(pid_of "$process"), http://127.0.0.1:$port"; return; }
    is_alive "$process" || break
    sleep 0.5
  done
  tail -20 "$dir/superset.log" >&2
  echo "superset did not start" >&2
  return 1
}

case "${1:-}" in
  install) install ;;
  up) up ;;
  down) end_process "$process" ;;
  wipe) end_process "$process"; rm -rf "$dir" ;;
  status) is_alive "$process" && echo "superset is up, pid $(pid_of "$process"), http://127.0.0.1:$port" || { echo "superset is down"; exit 1; } ;;
  *) sed -n '2,8p' "$0"; exit 2 ;;
esac
