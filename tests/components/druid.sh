#!/usr/bin/env bash
# A real Apache Druid (no container) on 127.0.0.1, from its Maven artefacts: what the benchmarks measure against.
# ZooKeeper, coordinator with overlord (Derby), historical, indexer, broker, router; about 4 GiB, a minute to start.
#
#   druid.sh up | down | status | pids | wipe
#
# Needs Java 17, Maven and curl. Environment: DRUID_DIR (where it lives), DRUID_PORT (the router's), DRUID_PORT_BASE
# (six more ports from there on). Only the processes whose pids it wrote itself are ever stopped.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/process.sh"

dir="${DRUID_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/ovate/druid}"
version="${DRUID_VERSION:-33.0.0}"
extensions="druid-kafka-indexing-service druid-datasketches"
base="${DRUID_PORT_BASE:-28181}"
declare -A port=(
  [zookeeper]=$base [derby]=$((base + 1)) [coordinator]=$((base + 2)) [broker]=$((base + 3))
  [historical]=$((base + 4)) [indexer]=$((base + 5)) [router]="${DRUID_PORT:-28888}"
)
declare -A heap=([coordinator]=512m [broker]=768m [historical]=768m [indexer]=2g [router]=256m)
declare -A direct=([coordinator]=128m [broker]=512m [historical]=512m [indexer]=512m [router]=128m)
servers="coordinator historical indexer broker router"
mkdir -p "$dir/run" "$dir/log"
cd "$dir"

alive() { is_alive "run/$1.pid"; }

# Druid's parent POM names repositories that hold nothing needed here: their ids are shadowed with an empty folder.
fetch() { # group, artifact, folder
  local pom="pom/$2/pom.xml" shadow="" id
  mkdir -p "pom/$2"
  for id in sigar cflt-public apache.snapshots central-snapshots; do
    shadow+="<repository><id>$id</id><url>file://$dir/pom/none</url></repository>"
  done
  cat > "$pom" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>ovate.benches</groupId><artifactId>$2</artifactId><version>1</version><packaging>pom</packaging>
  <repositories>$shadow</repositories>
  <dependencyManagement><dependencies><dependency>
    <groupId>org.apache.druid</groupId><artifactId>druid</artifactId><version>$version</version>
    <type>pom</type><scope>import</scope>
  </dependency></dependencies></dependencyManagement>
  <dependencies><dependency>
    <groupId>$1</groupId><artifactId>$2</artifactId><version>$version</version>
    <exclusions><exclusion><groupId>org.hyperic</groupId><artifactId>sigar</artifactId></exclusion></exclusions>
  </dependency></dependencies>
</project>
POM
  rm -rf "$3"
  mvn -q -B -f "$pom" dependency:copy-dependencies -DoutputDirectory="$dir/$3" -DincludeScope=runtime
  touch "$3/.complete"
}

install() {
  local extension
  [ -f "lib-$version/.complete" ] || fetch org.apache.druid druid-services "lib-$version"
  for extension in $extensions; do
    [ -f "extensions-$version/$extension/.complete" ] ||
      fetch org.apache.druid.extensions "$extension" "extensions-$version/$extension"
  done
}

settings() { # server; the properties are standard input
  mkdir -p "conf/$1"
  { [ "$1" = coordinator ] || echo "druid.service=druid/$1"; echo "druid.plaintextPort=${port[$1]}"; cat; } \
    > "conf/$1/runtime.properties"
}

configure() {
  local names
  names=$(printf '"%s",' $extensions)
  mkdir -p conf/common var/tmp
  cat > conf/common/common.runtime.properties <<PROPERTIES
druid.extensions.directory=$dir/extensions-$version
druid.extensions.loadList=[${names%,}]
druid.host=127.0.0.1
druid.bindOnHost=true
druid.startup.logging.logProperties=false
druid.zk.service.host=127.0.0.1:${port[zookeeper]}
druid.metadata.storage.type=derby
druid.metadata.storage.connector.connectURI=jdbc:derby://127.0.0.1:${port[derby]}/$dir/var/derby;create=true
druid.metadata.storage.connector.host=127.0.0.1
druid.metadata.storage.connector.port=${port[derby]}
druid.storage.type=local
druid.storage.storageDirectory=$dir/var/segments
druid.indexer.logs.type=file
druid.indexer.logs.directory=$dir/var/indexing-logs
druid.selectors.indexing.serviceName=druid/overlord
druid.selectors.coordinator.serviceName=druid/coordinator
druid.emitter=noop
druid.indexing.doubleStorage=double
druid.lookup.enableLookupSyncOnStartup=false
druid.processing.buffer.sizeBytes=32MiB
druid.processing.numThreads=2
druid.processing.numMergeBuffers=2
PROPERTIES
  cat > conf/common/log4j2.xml <<'XML'
<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="WARN">
  <Appenders><Console name="C" target="SYSTEM_OUT"><PatternLayout pattern="%d{ISO8601} %p [%t] %c{1} - %m%n"/></Console></Appenders>
  <Loggers><Root level="info"><AppenderRef ref="C"/></Root></Loggers>
</Configuration>
XML
  cat > conf/zookeeper.cfg <<PROPERTIES
clientPort=${port[zookeeper]}
clientPortAddress=127.0.0.1
dataDir=$dir/var/zookeeper
tickTime=2000
maxClientCnxns=0
admin.enableServer=false
PROPERTIES
  # Short periods: a suspended supervisor's segments are served by the historical within seconds.
  settings coordinator <<PROPERTIES
druid.service=druid/coordinator
druid.coordinator.asOverlord.enabled=true
druid.coordinator.asOverlord.overlordService=druid/overlord
druid.coordinator.startDelay=PT5S
druid.coordinator.period=PT5S
druid.manager.segments.pollDuration=PT5S
druid.manager.rules.pollDuration=PT10S
druid.indexer.queue.startDelay=PT2S
druid.indexer.runner.type=httpRemote
druid.indexer.storage.type=metadata
PROPERTIES
  # Caches off on both sides of the comparison.
  settings historical <<PROPERTIES
druid.segmentCache.locations=[{"path":"$dir/var/segment-cache","maxSize":"20g"}]
druid.server.maxSize=20000000000
druid.historical.cache.useCache=false
druid.historical.cache.populateCache=false
PROPERTIES
  settings indexer <<PROPERTIES
druid.worker.capacity=6
druid.indexer.task.baseTaskDir=$dir/var/task
druid.indexer.task.restoreTasksOnRestart=false
druid.worker.globalIngestionHeapLimitBytes=700000000
PROPERTIES
  settings broker <<PROPERTIES
druid.broker.cache.useCache=false
druid.broker.cache.populateCache=false
druid.sql.planner.metadataRefreshPeriod=PT10S
PROPERTIES
  settings router <<PROPERTIES
druid.router.defaultBrokerServiceName=druid/broker
druid.router.coordinatorServiceName=druid/coordinator
druid.router.managementProxy.enabled=true
PROPERTIES
}

launch() { # name, java's arguments
  local name="$1"
  shift
  if alive "$name"; then return; fi
  (cd var && exec setsid nohup java "$@" > "../log/$name.log" 2>&1 < /dev/null) &
  keep_pid "run/$name.pid" $!
}

healthy() { curl -fs -m 5 "http://127.0.0.1:${port[$1]}/status/health" 2>/dev/null | grep -q true; }

up() {
  install
  configure
  local began=$SECONDS server opens=() package
  for package in java.nio sun.nio.ch jdk.internal.ref java.io java.lang; do
    opens+=("--add-opens=java.base/$package=ALL-UNNAMED")
  done
  opens+=(--add-exports=java.base/jdk.internal.misc=ALL-UNNAMED --add-exports=java.base/jdk.internal.ref=ALL-UNNAMED)
  opens+=(--add-opens=jdk.management/com.sun.management.internal=ALL-UNNAMED)
  launch zookeeper -Xmx128m -cp "$dir/conf/common:$dir/lib-$version/*" \
    org.apache.zookeeper.server.ZooKeeperServerMain "$dir/conf/zookeeper.cfg"
  for server in $servers; do
    launch "$server" "${opens[@]}" -server -Xms128m "-Xmx${heap[$server]}" \
      "-XX:MaxDirectMemorySize=${direct[$server]}" -XX:+ExitOnOutOfMemoryError -XX:+UseG1GC \
      -Duser.timezone=UTC -Dfile.encoding=UTF-8 "-Djava.io.tmpdir=$dir/var/tmp" \
      -Djava.util.logging.manager=org.apache.logging.log4j.jul.LogManager \
      -cp "$dir/conf/common:$dir/conf/$server:$dir/lib-$version/*" org.apache.druid.cli.Main server "$server"
  done
  for server in $servers; do
    until healthy "$server"; do
      alive "$server" || { tail -20 "log/$server.log" >&2; echo "druid's $server did not start" >&2; return 1; }
      [ $((SECONDS - began)) -lt 400 ] || { echo "druid's $server is not healthy" >&2; return 1; }
      sleep 0.5
    done
  done
  local router="http://127.0.0.1:${port[router]}"
  until curl -fs -m 5 "$router/druid/indexer/v1/supervisor" > /dev/null 2>&1 &&
    curl -fs -m 5 -H 'Content-Type: application/json' -d '{"query":"SELECT 1"}' "$router/druid/v2/sql" > /dev/null 2>&1; do
    [ $((SECONDS - began)) -lt 460 ] || { echo "druid's router does not answer" >&2; return 1; }
    sleep 0.5
  done
  echo "druid $version is up after $((SECONDS - began)) s, $router"
}

down() {
  local server
  for server in router broker indexer historical coordinator zookeeper; do end_process "run/$server.pid"; done
}

pids() {
  local server pid
  for server in zookeeper $servers; do if pid=$(pid_of "run/$server.pid"); then echo "$server $pid"; fi; done
}

case "${1:-}" in
  install) install ;;
  up) up ;;
  down) down ;;
  wipe) down; rm -rf var ;;
  pids) pids ;;
  status) pids; healthy router || { echo "druid is down"; exit 1; } ;;
  *) sed -n '2,9p' "$0"; exit 2 ;;
esac
