#!/usr/bin/env bash
# The whole case study on this machine: real Kafka, real Flink with both jobs, Ovate, real Superset, the producers.
#
#   run.sh up [--disruption on|off] [--rate N] [--no-superset]
#   run.sh status
#   run.sh down
#
# Needs Java 17, Maven, curl and Python 3.11; about 4 GiB of memory and as much of disk. Everything listens on 127.0.0.1
# only. `up` always begins with an empty run; `down` ends exactly what `up` started and removes the run's data.
#
# Environment: OVATE_BIN (default: target/release/ovate, built if it is not there), OVATE_PORT, KAFKA_PORT, FLINK_PORT,
# SUPERSET_PORT, IOT_DIR (where the run lives; default: in the user's cache).
set -Eeuo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(cd "$here/../.." && pwd)"
components="$root/tests/components"
. "$components/process.sh"

cache="${XDG_CACHE_HOME:-$HOME/.cache}/ovate"
dir="${IOT_DIR:-$cache/iot-streaming-analytics}"
export KAFKA_DIR="$dir/kafka" FLINK_DIR="$dir/flink" SUPERSET_DIR="$dir/superset"
export KAFKA_PORT="${KAFKA_PORT:-29092}" FLINK_PORT="${FLINK_PORT:-18081}" SUPERSET_PORT="${SUPERSET_PORT:-18089}"
ovate="${OVATE_BIN:-$root/target/release/ovate}"
port="${OVATE_PORT:-8888}"
broker="127.0.0.1:$KAFKA_PORT"
# As the case study publishes them: its scripts and its dashboard know no others.
user=druid_system password=password2
url="http://127.0.0.1:$port"
superset_url="http://127.0.0.1:$SUPERSET_PORT"
superset_venv="${SUPERSET_VENV:-$cache/superset-venv}"
export KAFKA_BOOTSTRAP="$broker" STORE_URL="http://$user:$password@127.0.0.1:$port"
mkdir -p "$dir/run" "$dir/log"

say() { printf '\n== %s\n' "$*"; }
healthy() { curl -fs -m 5 "$url/status/health" 2>/dev/null | grep -q true; }

launch() { # name, command
  local name="$1"
  shift
  setsid nohup "$@" > "$dir/log/$name.log" 2>&1 < /dev/null &
  keep_pid "$dir/run/$name.pid" $!
}

stop() { end_process "$dir/run/$1.pid" 30; }

python_environment() {
  [ -x "$dir/venv/bin/python" ] || python3 -m venv "$dir/venv"
  "$dir/venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/producers/requirements.txt"
}

produce() { "$dir/venv/bin/python" "$here/producers/produce.py" "$@"; }

start_store() {
  if curl -s -m 5 -o /dev/null "$url"; then echo "something else answers at $url" >&2; return 1; fi
  [ -x "$ovate" ] || cargo build --release --locked --manifest-path "$root/Cargo.toml"
  local hash
  hash=$(printf %s "$password" | "$ovate" hash-password)
  launch ovate "$ovate" serve --data "$dir/data" --listen "127.0.0.1:$port" --user "$user=$hash" \
    --broker-map "kafka_broker:29092=$broker"
  until healthy; do
    is_alive "$dir/run/ovate.pid" || { tail -20 "$dir/log/ovate.log" >&2; echo "ovate did not start" >&2; return 1; }
    sleep 0.2
  done
}

post_specifications() {
  local name
  for name in devices events_geo alerts; do
    curl -fsS -u "$user:$password" -H 'Content-Type: application/json' \
      -d "@$root/src/demo/specs/${name}_ingestion.json" "$url/druid/indexer/v1/supervisor"
    echo
  done
}

start_superset() {
  "$components/superset.sh" up
  "$superset_venv/bin/python" "$here/dashboards.py" "$superset_url" "$user:$password@127.0.0.1:$port"
}

up() {
  local disruption=on rate=250 superset=yes
  while [ $# -gt 0 ]; do
    case "$1" in
      --disruption) disruption="$2"; shift 2 ;;
      --rate) rate="$2"; shift 2 ;;
      --no-superset) superset=no; shift ;;
      *) echo "unknown option $1" >&2; return 2 ;;
    esac
  done
  down
  trap 'echo "stopped half-way; \"$0 down\" ends what was started; logs are in $dir" >&2' ERR
  say "Kafka";          "$components/kafka.sh" up
  say "Ovate";          start_store; echo "ovate is up, pid $(pid_of "$dir/run/ovate.pid"), $url"
  say "specifications"; post_specifications
  say "Flink";          "$components/flink.sh" up
  say "jobs";           python_environment; produce topics
  for job in enrichment alerts; do
    echo "$job $("$components/flink.sh" sql "$here/jobs/$job.sql" "kafka_broker:29092=$broker")"
  done
  say "producers";      produce devices "$root/tests/data/devices_zurich.json"
  launch producer "$dir/venv/bin/python" "$here/producers/produce.py" events --disruption "$disruption" --rate "$rate"
  echo "events: $rate a second, disruption $disruption, pid $(pid_of "$dir/run/producer.pid")"
  if [ "$superset" = yes ]; then say "Superset"; start_superset; fi
  trap - ERR
  greet
}

greet() {
  cat <<TEXT

The case study is running.

  the map      $url/     ($user, $password)
  SQL          $ovate query --url $STORE_URL "SELECT * FROM ALERTS ORDER BY __time DESC LIMIT 5"
  SQLAlchemy   druid://$user:$password@127.0.0.1:$port/druid/v2/sql/
  Superset     $superset_url/   (admin, admin)
  Flink        http://127.0.0.1:$FLINK_PORT/
  Kafka        $broker   (topics DEVICES, EVENTS, EVENTS_GEO, ALERTS)
  logs         $dir

The first alerts come about 75 seconds after the first event. "$0 down" ends it all.
TEXT
}

down() {
  stop producer
  "$components/superset.sh" down
  "$components/flink.sh" wipe
  stop ovate
  "$components/kafka.sh" wipe
  rm -rf "$dir/data"
}

count() {
  curl -fs -m 10 -u "$user:$password" -H 'Content-Type: application/json' "$url/druid/v2/sql" \
    -d "{\"query\": \"SELECT COUNT(*) FROM $1\", \"resultFormat\": \"csv\"}" | head -1
}

status() {
  local ok=0 name pid
  "$components/kafka.sh" status || ok=1
  "$components/flink.sh" status || ok=1
  for name in ovate producer; do
    if pid=$(pid_of "$dir/run/$name.pid"); then echo "$name is up, pid $pid"; else echo "$name is down"; ok=1; fi
  done
  "$components/superset.sh" status || true  # it may have been left out
  if healthy; then for name in DEVICES EVENTS_GEO ALERTS; do echo "$name: $(count "$name") rows"; done; fi
  return $ok
}

case "${1:-}" in
  up) shift; up "$@" ;;
  down) down ;;
  status) status ;;
  *) sed -n '2,12p' "$0"; exit 2 ;;
esac
