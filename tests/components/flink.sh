#!/usr/bin/env bash
# A real Apache Flink session cluster (no container) on 127.0.0.1, from its Maven artefacts: one job manager, one task
# manager with four slots, Kafka connector and SQL.
#
#   flink.sh up | down | status | wipe
#   flink.sh sql FILE [A=B …]      submits the statements of FILE, with B wherever it names A (a broker, say)
#   flink.sh kill-taskmanager      pulls its plug; "up" starts another
#
# Needs Java 17, Maven and curl. Environment: FLINK_DIR (where it lives), FLINK_PORT (its page and REST interface),
# FLINK_RPC_PORT, FLINK_CHECKPOINT_INTERVAL. Only the processes whose pids it wrote itself are ever stopped.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/maven.sh"
. "$(dirname "${BASH_SOURCE[0]}")/process.sh"

dir="${FLINK_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/ovate/flink}"
version="${FLINK_VERSION:-2.2.1}"
connector="${FLINK_KAFKA_CONNECTOR:-5.0.0-2.2}"
port="${FLINK_PORT:-18081}"
rpc_port="${FLINK_RPC_PORT:-$((port + 1))}"
interval="${FLINK_CHECKPOINT_INTERVAL:-2 s}"
rest="http://127.0.0.1:$port"
libs="$dir/libs-$version"
export FLINK_CONF_DIR="$dir/conf"
mkdir -p "$dir/run" "$dir/log"

alive() { is_alive "$dir/run/$1.pid"; }
healthy() { curl -fs -m 5 "$rest/overview" 2>/dev/null | grep -q '"taskmanagers":[1-9]'; }

# Flink's own command lines for Java 17 (its distribution has them in config.yaml).
opens=()
for package in sun.net.util=java.base sun.rmi.registry=java.rmi sun.security.krb5=java.security.jgss; do
  opens+=("--add-exports=${package#*=}/${package%=*}=ALL-UNNAMED")
done
for package in lang net io nio lang.reflect text time util util.concurrent util.concurrent.atomic util.concurrent.locks; do
  opens+=("--add-opens=java.base/java.$package=ALL-UNNAMED")
done

install() {
  local artifact artifacts=()
  for artifact in clients connector-base table-api-java-bridge table-planner-loader table-runtime sql-gateway json runtime-web; do
    artifacts+=("org.apache.flink:flink-$artifact:$version")
  done
  fetch_jars "$libs" "${artifacts[@]}" "org.apache.flink:flink-sql-connector-kafka:$connector" \
    org.apache.logging.log4j:log4j-slf4j-impl:2.24.3
}

configure() {
  mkdir -p "$dir/conf" "$dir/tmp"
  cat > "$dir/conf/config.yaml" <<YAML
jobmanager:
  bind-host: 127.0.0.1
  rpc: {address: 127.0.0.1, port: $rpc_port}
  memory: {process: {size: 1024m}}
taskmanager: {bind-host: 127.0.0.1, host: 127.0.0.1, numberOfTaskSlots: 4}
rest: {address: 127.0.0.1, bind-address: 127.0.0.1, port: $port}
parallelism: {default: 1}
# A task manager that was killed is noticed within seconds.
heartbeat: {interval: 2 s, timeout: 20 s, rpc-failure-threshold: 1}
restart-strategy: {type: fixed-delay, fixed-delay: {attempts: 1000, delay: 1 s}}
execution:
  target: remote
  checkpointing:
    interval: $interval
    dir: file://$dir/checkpoints
    externalized-checkpoint-retention: RETAIN_ON_CANCELLATION
    savepoint-dir: file://$dir/savepoints
io: {tmp: {dirs: $dir/tmp}}
YAML
  cat > "$dir/conf/log4j.properties" <<'PROPERTIES'
rootLogger.level = INFO
rootLogger.appenderRef.console.ref = console
appender.console.name = console
appender.console.type = CONSOLE
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %-5p %c{1} - %m%n
PROPERTIES
}

launch() { # name, java's arguments
  local name="$1"
  shift
  if alive "$name"; then return; fi
  setsid nohup java "${opens[@]}" "-Dlog4j.configurationFile=$dir/conf/log4j.properties" "-Djava.io.tmpdir=$dir/tmp" \
    -cp "$libs/*" "$@" --configDir "$dir/conf" >> "$dir/log/$name.log" 2>&1 < /dev/null &
  keep_pid "$dir/run/$name.pid" $!
}

# Without the scripts of Flink's distribution every part of a task manager's memory has to be given.
launch_taskmanager() {
  local part parts=()
  for part in task.heap.size=400mb task.off-heap.size=0 framework.heap.size=128mb framework.off-heap.size=128mb \
    network.min=64mb network.max=64mb managed.size=64mb jvm-metaspace.size=256mb jvm-overhead.min=192mb \
    jvm-overhead.max=192mb; do
    parts+=(-D "taskmanager.memory.$part")
  done
  launch taskmanager -Xmx528m -XX:MaxDirectMemorySize=192m -XX:MaxMetaspaceSize=256m \
    org.apache.flink.runtime.taskexecutor.TaskManagerRunner -D taskmanager.cpu.cores=2 "${parts[@]}"
}

up() {
  local began=$SECONDS server
  if ! alive jobmanager && curl -s -m 5 -o /dev/null "$rest"; then
    echo "something else answers at $rest" >&2
    return 1
  fi
  install
  configure
  launch jobmanager -Xmx448m -XX:MaxMetaspaceSize=256m \
    org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint
  launch_taskmanager
  until healthy; do
    for server in jobmanager taskmanager; do
      alive "$server" || { tail -20 "$dir/log/$server.log" >&2; echo "flink's $server did not start" >&2; return 1; }
    done
    [ $((SECONDS - began)) -lt 180 ] || { echo "flink is not healthy" >&2; return 1; }
    sleep 0.3
  done
  echo "flink $version is up after $((SECONDS - began)) s, $rest"
}

# Prints the id of every job that FILE starts; where a statement fails, says why and starts nothing after it.
sql() {
  local file="${1:?a file of SQL statements}" text pair script="$dir/tmp/$$.sql" log="$dir/log/sql-$$.log"
  shift
  text=$(cat "$file")
  for pair in "$@"; do text="${text//"${pair%%=*}"/"${pair#*=}"}"; done
  printf '%s\n' "$text" > "$script"
  # Flink's command line runs the SQL gateway's script driver; the statements' output is the log.
  java "${opens[@]}" -Xmx512m "-Dlog4j.configurationFile=$dir/conf/log4j.properties" -cp "$libs/*" \
    org.apache.flink.client.cli.CliFrontend run --detached \
    --class org.apache.flink.table.runtime.application.SqlDriver "$libs/flink-sql-gateway-$version.jar" \
    --scriptUri "file://$script" > "$log" 2>&1 ||
    { grep '^Caused by' "$log" | tail -1 >&2; echo "$file failed, see $log" >&2; return 1; }
  rm "$script"
  sed -n 's/^Job has been submitted with JobID //p' "$log"
}

down() { end_process "$dir/run/taskmanager.pid"; end_process "$dir/run/jobmanager.pid"; }

case "${1:-}" in
  up) up ;;
  down) down ;;
  wipe) down; rm -rf "$dir/checkpoints" "$dir/savepoints" "$dir/log" "$dir/tmp" ;;
  status) healthy && echo "flink is up, $rest" || { echo "flink is down"; exit 1; } ;;
  sql) shift; sql "$@" ;;
  kill-taskmanager) kill_process "$dir/run/taskmanager.pid" ;;
  *) sed -n '2,12p' "$0"; exit 2 ;;
esac
