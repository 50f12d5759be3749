#!/usr/bin/env bash
# A real QuestDB (no container) on 127.0.0.1, from its Maven artefact: one of the systems that benchmarks measure against.
#
#   questdb.sh up | down | pid | wipe
#
# Needs Java 17 or newer and Maven. Environment: QUESTDB_DIR (where the tables live), QUESTDB_PORT, QUESTDB_FILES (the
# folder that read_parquet may read). Only the process whose pid it wrote itself is ever stopped.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/maven.sh"
. "$(dirname "${BASH_SOURCE[0]}")/process.sh"

cache="${XDG_CACHE_HOME:-$HOME/.cache}/ovate"
dir="${QUESTDB_DIR:-$cache/questdb}"
version="${QUESTDB_VERSION:-9.3.4}"
port="${QUESTDB_PORT:-19000}"
libs="$cache/questdb-libs-$version"
mkdir -p "$dir"

process="$dir/questdb.pid"

install() { fetch_jars "$libs" "org.questdb:questdb:$version"; }

up() {
  if is_alive "$process"; then return; fi
  install
  # Nothing but HTTP; a worker per core that the process may use.
  export QDB_HTTP_BIND_TO="127.0.0.1:$port" QDB_HTTP_MIN_ENABLED=false QDB_PG_ENABLED=false QDB_LINE_TCP_ENABLED=false
  export QDB_TELEMETRY_ENABLED=false QDB_SHARED_WORKER_COUNT="$(nproc)" QDB_CAIRO_SQL_COPY_ROOT="${QUESTDB_FILES:-$dir}"
  setsid nohup java -Xmx4g -p "$libs" -m io.questdb/io.questdb.ServerMain -d "$dir" > "$dir/questdb.log" 2>&1 < /dev/null &
  keep_pid "$process" $!
  for _ in $(seq 600); do
    curl -fs -m 5 "http://127.0.0.1:$port/exec?query=SELECT%201" > /dev/null 2>&1 && return
    is_alive "$process" || break
    sleep 0.1
  done
  tail -20 "$dir/questdb.log" >&2
  echo "questdb did not start" >&2
  return 1
}

case "${1:-}" in
  up) up ;;
  down) end_process "$process" ;;
  pid) pid_of "$process" ;;
  wipe) end_process "$process"; rm -rf "$dir/db" ;;
  *) sed -n '2,8p' "$0"; exit 2 ;;
esac
