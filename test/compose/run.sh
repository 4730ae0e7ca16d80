#!/usr/bin/env bash
# Runs docker-compose.yml in earnest: brings it up, kills its master, freezes the next one, runs
# the drills, and checks that the app's /health/redis, asked every 100 ms, always said 200 and that
# no job that was acknowledged is lost. Ends with the plain line "N passed, N failed".
#
#   test/compose/run.sh          with stand-ins for images that are not here (standins.sh)
#   test/compose/run.sh --pull   with the images that the file names, from their registry
#
# Without --pull Grafana is left out: there is no stand-in for it. Everything runs in a Compose project
# of its own, on ports that the system chooses, and is removed at the end, within 15 minutes in all. The
# images stay, as after any build; `standins.sh --remove` takes the stand-ins away.
set -euo pipefail
if [ -z "${COMPOSE_RUN_BOUNDED:-}" ]; then COMPOSE_RUN_BOUNDED=1 exec timeout -k 60 900 "$0" "$@"; fi
cd "$(dirname "$0")/../.."

work=$(mktemp -d)
project=steadis-test-$$
compose=(docker-compose)
if docker compose version >/dev/null 2>&1; then compose=(docker compose); fi
export APP_PORT=0 REDIS_PORT=0 ADMIN_PORT=0 PROMETHEUS_PORT=0 GRAFANA_PORT=0 DRILL_REPORT=$work/report
probing=
passed=0 failed=0

dc() { "${compose[@]}" -p "$project" "$@" </dev/null; }

say() { printf '== %s (%s)\n' "$*" "$(date +%T)"; }

# check WHAT COMMAND...: counts whether the command succeeds.
check() {
  local what=$1
  shift
  if "$@"; then
    passed=$((passed + 1))
    echo "ok    $what"
  else
    failed=$((failed + 1))
    echo "FAIL  $what"
  fi
}

# within SECONDS COMMAND...: until the command succeeds.
within() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    if [ "$SECONDS" -ge "$end" ]; then return 1; fi
    sleep 0.5
  done
}

cleanup() {
  local code=$?
  touch "$work/stop"
  if [ -n "$probing" ]; then wait "$probing" 2>/dev/null || true; fi
  if [ "$code" != 0 ] || [ "$failed" != 0 ]; then dc ps -a || true; dc logs --tail 30 || true; fi
  dc down -v --remove-orphans -t 5 >/dev/null 2>&1 || echo "compose: project $project could not be removed" >&2
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 143' INT TERM

healthy() {
  local states
  states=$(docker ps -aq --filter "label=com.docker.compose.project=$project" | xargs docker inspect -f '{{.State.Health.Status}}')
  [ "$(sort -u <<<"$states")" = healthy ]
}

address() { dc port "$1" "$2"; }

master() { dc exec -T sentinel-2 redis-cli -p 26379 sentinel get-master-addr-by-name mymaster | head -1; }

master_is_not() { local now; now=$(master) && [ -n "$now" ] && [ "$now" != "$1" ]; }

is_replica() { [ "$(dc exec -T "$1" redis-cli role | sed -n '1p;4p' | xargs)" = "slave connected" ]; }

# probe asks /health/redis every 100 ms and adds a job every fifth time, whatever the answers
# take, until there is a file named stop.
probe() {
  local app=$1 n=0
  while [ ! -e "$work/stop" ]; do
    curl -s -o /dev/null -m 60 -w '%{http_code} %{time_total}\n' "http://$app/health/redis" >>"$work/probes" &
    if [ $((n % 5)) = 0 ]; then
      curl -s -m 60 -w ' %{http_code}\n' -X POST "http://$app/enqueue?a=$n&b=1" | tr -d '\n' >>"$work/jobs" &
    fi
    n=$((n + 1))
    sleep 0.1
  done
  wait
}

probes_all_good() {
  local n bad
  n=$(wc -l <"$work/probes")
  bad=$(grep -vc '^200 ' "$work/probes" || true)
  echo "      $n probes, $bad not 200, slowest $(sort -k2 -n "$work/probes" | tail -1 | cut -d' ' -f2) s"
  [ "$n" -gt 100 ] && [ "$bad" = 0 ]
}

# jobs_all_there asks for every job that was acknowledged. What became of one whose enqueueing
# was in doubt is for the app to find out, and it was told.
jobs_all_there() {
  local app=$1 ids id lost=0 finished=0 n=0 answer
  ids=$(grep -oE '"id": ?"[^"]+"' "$work/jobs" | cut -d'"' -f4)
  for id in $ids; do
    n=$((n + 1))
    answer=$(curl -s -m 60 "http://$app/job/$id")
    case $answer in *'"no such job"'*) lost=$((lost + 1)) ;; *finished*) finished=$((finished + 1)) ;; esac
  done
  echo "      $n jobs acknowledged, $lost lost, $finished finished, $(grep -o '}[^}]*503' "$work/jobs" | wc -l) not acknowledged"
  [ "$n" -gt 10 ] && [ "$lost" = 0 ]
}

job_finished() { curl -s -m 60 "http://$1/job/$2" | grep -q finished; }

one_more_job() {
  local app=$1 id
  id=$(curl -s -m 60 -X POST "http://$app/enqueue?a=20&b=22" | cut -d'"' -f4)
  within 30 job_finished "$app" "$id" && curl -s "http://$app/job/$id" | grep -qE '"result": ?42'
}

# lose_master HOW BACK: the master goes by the first command of Compose and is back by the second.
lose_master() {
  local how=$1 back=$2 old
  old=$(master)
  say "$how $old"
  dc "$how" "$old" >/dev/null 2>&1
  check "$how $old: another master" within 30 master_is_not "$old"
  dc "$back" "$old" >/dev/null 2>&1
  check "$back $old: it is a replica" within 60 is_replica "$old"
  check "all is healthy again" within 60 healthy
}

drill() {
  say "drill --kind $1"
  dc run --rm -T drill --kind "$1" --rounds 1 2>"$work/drill.log" || { cat "$work/drill.log"; return 1; }
  [ -s "$DRILL_REPORT/report.json" ] && [ -s "$DRILL_REPORT/report.html" ]
}

prometheus_knows() { curl -s -G --data-urlencode "query=$2" "http://$1/api/v1/query" | grep -q '"value"'; }

has_rules() { curl -s "http://$1/api/v1/rules" | grep -q SteadisNoMaster; }

main() {
  local services app prometheus
  services=$("${compose[@]}" config --services)
  if [ "${1:-}" != --pull ]; then
    say "stand-ins; Grafana is left out"
    test/compose/standins.sh
    services=$(grep -vx grafana <<<"$services")
  fi
  services=$(grep -vx drill <<<"$services") # old Compose lists it, though its profile is not chosen
  say "build"
  dc build -q steadis app >/dev/null 2>"$work/build.log" || { cat "$work/build.log"; return 1; }
  say "up"
  dc up -d $services >"$work/up.log" 2>&1 || { cat "$work/up.log"; return 1; }
  check "everything is healthy" within 120 healthy
  app=$(address app 8000) prometheus=$(address prometheus 9090)
  probe "$app" &
  probing=$!

  lose_master kill start
  lose_master pause unpause
  check "drill failover: nothing lost, doubled, dropped" drill failover
  check "drill crash: nothing lost, doubled, dropped" drill crash
  check "all is healthy again" within 90 healthy

  touch "$work/stop"
  wait "$probing"
  probing=
  check "/health/redis always said 200" probes_all_good
  check "every acknowledged job is there" jobs_all_there "$app"
  check "a new job is done by the worker" one_more_job "$app"
  check "Prometheus has seen the outages" within 15 prometheus_knows "$prometheus" 'steadis_outages_total >= 4'
  check "Prometheus has the alert rules" has_rules "$prometheus"
  echo "$passed passed, $failed failed"
  [ "$failed" = 0 ]
}

main "$@"
