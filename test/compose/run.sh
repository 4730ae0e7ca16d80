#!/usr/bin/env bash
# Runs docker-compose.yml in earnest: brings it up, kills its master, freezes the next one, runs
# the drills, and checks that the app's /health/redis, asked every 100 ms, always said 200 and that
# no job that was acknowledged is lost. Ends with the plain line "N passed, N failed".
#
#   test/compose/run.sh          with stand-ins for images that are not here (standins.sh)
#   test/compose/run.sh --pull   with the images that the file names, from their registry
#
# Without --pull Grafana is left out: there is no stand-in for it. Everything runs in a Compose project
# of its own, on ports that the system chooses, and is removed at the end, within 10 minutes for each tool.
# With old and new Compose (`docker-compose`, `docker compose`) both there, each has its run. The
# images stay, as after any build; `standins.sh --remove` takes the stand-ins away. COMPOSE_CPUS=0.5
# lets no container have more than half a processor, for a machine that is needed for something else.
set -euo pipefail
cd "$(dirname "$0")/../.."

tools=()
if docker compose version >/dev/null 2>&1; then tools+=("docker compose"); fi
if docker-compose version >/dev/null 2>&1; then tools+=("docker-compose"); fi
if [ "${#tools[@]}" = 0 ]; then echo "compose: there is neither docker compose nor docker-compose" >&2; exit 1; fi
if [ -z "${COMPOSE_RUN_TOOL:-}" ]; then
  for tool in "${tools[@]}"; do COMPOSE_RUN_TOOL=$tool timeout -k 60 600 "$0" "$@"; done
  exit
fi

work=$(mktemp -d)
project=steadis-test-$$
read -ra compose <<<"$COMPOSE_RUN_TOOL"
export APP_PORT=0 REDIS_PORT=0 ADMIN_PORT=0 PROMETHEUS_PORT=0 GRAFANA_PORT=0 DRILL_REPORT=$work/report
declare -A container # by service
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

# learn remembers the containers, which stay the same: asking Compose for each takes a second.
learn() {
  local id service
  while read -r id service; do container[$service]=$id; done \
    < <(docker ps -a --filter "label=com.docker.compose.project=$project" --format '{{.ID}} {{.Label "com.docker.compose.service"}}')
  # shellcheck disable=SC2068 # one word a container
  if [ -n "${COMPOSE_CPUS:-}" ]; then docker update --cpus "$COMPOSE_CPUS" ${container[@]} >/dev/null; fi
}

healthy() {
  local states
  # shellcheck disable=SC2068 # one word a container
  states=$(docker inspect -f '{{.State.Health.Status}}' ${container[@]})
  [ "$(sort -u <<<"$states")" = healthy ]
}

address() { docker port "${container[$1]}" "$2" | head -1; }

within_container() { docker exec "${container[$1]}" "${@:2}" </dev/null 2>/dev/null; }

master() { within_container sentinel-2 redis-cli -p 26379 sentinel get-master-addr-by-name mymaster | head -1; }

master_is_not() { local now; now=$(master) && [ -n "$now" ] && [ "$now" != "$1" ]; }

is_replica() { [ "$(within_container "$1" redis-cli role | sed -n '1p;4p' | xargs)" = "slave connected" ]; }

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
  local app=$1 n lost finished
  grep -oE '"id": ?"[^"]+"' "$work/jobs" | cut -d'"' -f4 | sed "s#.*#url = \"http://$app/job/&\"#" >"$work/urls"
  curl -s -m 120 -K "$work/urls" >"$work/answers"
  n=$(wc -l <"$work/urls")
  lost=$(grep -c 'no such job' "$work/answers" || true)
  finished=$(grep -o finished "$work/answers" | wc -l)
  echo "      $n jobs acknowledged, $lost lost, $finished finished, $(grep -o '}[^}]*503' "$work/jobs" | wc -l) not acknowledged"
  [ "$n" -gt 10 ] && [ "$lost" = 0 ] && [ "$(grep -c . "$work/answers")" -ge "$n" ]
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
  check "$back $old: it is a replica" within 90 is_replica "$old"
  check "all is healthy again" within 60 healthy
}

drill() {
  say "drill --kind $1"
  dc run --rm -T drill --kind "$1" --lead 2s --trail 2s 2>"$work/drill.log" || { cat "$work/drill.log"; return 1; }
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
  say "$COMPOSE_RUN_TOOL: build"
  dc build -q steadis app >/dev/null 2>"$work/build.log" || { cat "$work/build.log"; return 1; }
  say "up"
  dc up -d $services >"$work/up.log" 2>&1 || { cat "$work/up.log"; return 1; }
  learn
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
