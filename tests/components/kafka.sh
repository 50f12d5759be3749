#!/usr/bin/env bash
# A real Apache Kafka broker (KRaft, one node, no container) on 127.0.0.1, from its Maven artefacts.
#
#   kafka.sh up | down | kill | status | wipe
#
# Needs Java 17 or newer and Maven. Environment: KAFKA_DIR (where it lives), KAFKA_PORT, KAFKA_CONTROLLER_PORT;
# KAFKA_PROXIED=LISTEN:ADVERTISED for a second listener that clients are told to reach at another port, where a proxy
# is; KAFKA_SASL=PORT:USER:PASSWORD for a third one that asks for a password (SASL_PLAINTEXT, PLAIN).
# Only the process whose pid it wrote itself is ever stopped.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/maven.sh"
. "$(dirname "${BASH_SOURCE[0]}")/process.sh"

dir="${KAFKA_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/ovate/kafka}"
version="${KAFKA_VERSION:-4.1.0}"
port="${KAFKA_PORT:-19092}"
controller_port="${KAFKA_CONTROLLER_PORT:-$((port + 1))}"
libs="$dir/libs-$version"
mkdir -p "$dir"

process="$dir/kafka.pid"

install() { fetch_jars "$libs" "org.apache.kafka:kafka_2.13:$version" org.slf4j:slf4j-simple:1.7.36; }

configure() {
  local listeners="PLAINTEXT://127.0.0.1:$port" advertised="PLAINTEXT://127.0.0.1:$port"
  local protocols="PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT" sasl=""
  if [ -n "${KAFKA_PROXIED:-}" ]; then
    listeners+=",PROXIED://127.0.0.1:${KAFKA_PROXIED%%:*}"
    advertised+=",PROXIED://127.0.0.1:${KAFKA_PROXIED##*:}"
    protocols+=",PROXIED:PLAINTEXT"
  fi
  if [ -n "${KAFKA_SASL:-}" ]; then
    local sasl_port user password
    IFS=: read -r sasl_port user password <<< "$KAFKA_SASL"
    listeners+=",SASL://127.0.0.1:$sasl_port"
    advertised+=",SASL://127.0.0.1:$sasl_port"
    protocols+=",SASL:SASL_PLAINTEXT"
    sasl="listener.name.sasl.sasl.enabled.mechanisms=PLAIN
listener.name.sasl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_$user=\"$password\";"
  fi
  cat > "$dir/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller_port
listeners=$listeners,CONTROLLER://127.0.0.1:$controller_port
advertised.listeners=$advertised
listener.security.protocol.map=$protocols
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs=$dir/data
num.partitions=1
auto.create.topics.enable=true
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
log.cleaner.backoff.ms=500
$sasl
PROPERTIES
  [ -f "$dir/data/meta.properties" ] && return
  local id
  id=$(java -Xmx128m -cp "$libs/*" kafka.tools.StorageTool random-uuid 2>/dev/null | tail -1)
  java -Xmx128m -cp "$libs/*" kafka.tools.StorageTool format -t "$id" -c "$dir/server.properties" > "$dir/format.log" 2>&1
}

up() {
  if is_alive "$process"; then echo "kafka is up, pid $(pid_of "$process"), 127.0.0.1:$port"; return; fi
  install
  configure
  setsid nohup java -Xms128m -Xmx512m -cp "$libs/*" kafka.Kafka "$dir/server.properties" \
    > "$dir/kafka.log" 2>&1 < /dev/null &
  keep_pid "$process" $!
  for _ in $(seq 600); do
    grep -q 'Kafka Server started' "$dir/kafka.log" && { echo "kafka $version is up, pid $(pid_of "$process"), 127.0.0.1:$port"; return; }
    is_alive "$process" || break
    sleep 0.1
  done
  tail -20 "$dir/kafka.log" >&2
  echo "kafka did not start" >&2
  return 1
}

case "${1:-}" in
  up) up ;;
  down) end_process "$process" ;;
  kill) kill_process "$process" ;;
  wipe) end_process "$process"; rm -rf "$dir/data" ;;
  status) is_alive "$process" && echo "kafka is up, pid $(pid_of "$process"), 127.0.0.1:$port" || { echo "kafka is down"; exit 1; } ;;
  *) sed -n '2,10p' "$0"; exit 2 ;;
esac
