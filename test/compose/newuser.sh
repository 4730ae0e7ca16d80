#!/usr/bin/env bash
# Does what README says from its top, as somebody who has never seen steadis: in a fresh clone, with
# nothing of Go's cached, and writes down how long each step took: newuser.sh writes
# test/compose/NEWUSER.md. The images are those that are here, else stand-ins (standins.sh), which
# are made before the clock runs: a user would have them pulled.
set -euo pipefail
cd "$(dirname "$0")/../.."

source=$PWD
work=$(mktemp -d)
project=newuser$$
compose=(docker-compose)
if docker compose version >/dev/null 2>&1; then compose=(docker compose); fi
export GOCACHE=$work/cache GOMODCACHE=$work/modules GOFLAGS="${GOFLAGS:-} -modcacherw"
export APP_PORT=18000 REDIS_PORT=16379 ADMIN_PORT=19380 PROMETHEUS_PORT=19090 GRAFANA_PORT=13000
export COMPOSE_PROJECT_NAME=$project
rows=() total=0

cleanup() {
  if [ -d "$work/steadis" ]; then (cd "$work/steadis" && "${compose[@]}" down -v --remove-orphans -t 5 >/dev/null 2>&1) || true; fi
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 143' INT TERM

# step WHAT COMMAND...: one line of README, timed. Its last line of output is what the user sees.
step() {
  local what=$1 from to said=$work/said code=0
  shift
  from=$(date +%s%N)
  "$@" >"$said" 2>&1 </dev/null || code=$?
  to=$(date +%s%N)
  if [ "$code" != 0 ]; then echo "newuser: $what ended with $code" >&2; tail -30 "$said" >&2; exit 1; fi
  total=$((total + (to - from) / 1000000))
  rows+=("| \`$what\` | $(seconds $(((to - from) / 1000000))) | $(sed 's/\x1b\[[0-9;]*m//g' "$said" | { grep . || true; } | tail -1 | tr -d '|\r') |")
  echo "${rows[-1]}"
}

seconds() { printf '%d.%01d s' "$(($1 / 1000))" "$(($1 % 1000 / 100))"; }

# up brings all up but Grafana, if there is no image of it.
up() {
  local services
  services=$("${compose[@]}" config --services | grep -vx drill)
  if ! docker image inspect "$(sed -nE 's/^ *image: (grafana.*)/\1/p' docker-compose.yml)" >/dev/null 2>&1; then services=$(grep -vx grafana <<<"$services"); fi
  # shellcheck disable=SC2086 # one word a service
  "${compose[@]}" up -d $services
}

main() {
  test/compose/standins.sh
  step "git clone" git clone -q "$source" "$work/steadis"
  cd "$work/steadis"
  step "make demo" make --no-print-directory demo
  step "${compose[*]} up -d" up
  step "curl localhost:8000/health/redis" curl -sS --retry 60 --retry-delay 1 --retry-all-errors "http://localhost:$APP_PORT/health/redis"
  step "${compose[*]} run --rm drill" "${compose[@]}" run --rm -T drill
  {
    echo "# From README to a running drill, as a new user"
    echo
    echo "\`test/compose/newuser.sh\` measured this on $(date -u +%F) at commit $(git -C "$source" describe --always): a fresh clone, an empty cache of Go,"
    echo "$(nproc) processors, load $(cut -d' ' -f1-3 /proc/loadavg) (1, 5, 15 minutes) at the end. Images were there beforehand."
    echo
    echo "| step | took | the last line seen |"
    echo "|---|---|---|"
    printf '%s\n' "${rows[@]}"
    echo "| in all | $(seconds "$total") | |"
  } >"$source/test/compose/NEWUSER.md"
  cat "$source/test/compose/NEWUSER.md"
}

main "$@"
