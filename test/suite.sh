#!/usr/bin/env bash
# Runs the tests: all | conformance | failover | faults | clients | restarts | fuzz. `make test` and `make failover` call it.
# Whatever it runs carries a mark in its environment, by which processes that
# outlived their test are found at the end.
set -euo pipefail
cd "$(dirname "$0")/.."

go=${GO:-go}
mark=TEST_RUN_MARK=steadis-$$-$(date +%s)

section() { printf '\n== %s (%s)\n' "$1" "$(date +%T)"; }

marked() { env "$mark" "$@"; }

# Allocations and memory are what they are only without the race detector.
budget_tests() {
  section "budgets, without the race detector"
  marked "$go" test -count=1 -v -run 'TestAllocationsPerCommand|TestIdleConnection' ./proxy
}

# The failover tests measure time, so they do not run beside other packages; nor does
# conformance, which keeps both processors busy and has a steadis of its own to test.
unit_tests() {
  section "tests with the race detector"
  local packages
  packages=$("$go" list ./... | grep -v -e '/test/failover$' -e '/test/failover/faults$' -e '/test/clients$' -e '/test/conformance$')
  # shellcheck disable=SC2086 # one word a package
  marked "$go" test -race -timeout 10m $packages
}

conformance_tests() {
  section "the same bytes as Redis (TEST_CONFORMANCE=${TEST_CONFORMANCE:-short})"
  marked "$go" test -count=1 -timeout 20m ./test/conformance
}

# A module of its own: the types of Kubernetes' API are to be no dependency of ours.
kubernetes_tests() {
  section "Kubernetes manifests against the API's types"
  (cd test/kubernetes && marked "$go" test -timeout 10m ./...)
}

# One thread is another way through the data path (proxy/turns.go).
one_thread_tests() {
  section "scenarios with one thread"
  marked env GOMAXPROCS=1 "$go" test -count=1 -timeout 10m ./test/scenario
}

failover_tests() {
  section "failover tests against real processes, one round of each"
  marked env TEST_ROUNDS="${TEST_ROUNDS:-1}" "$go" test -race -count=1 -timeout 15m ./test/failover
}

# Each process has a host of its own here, where the machine allows network namespaces.
fault_tests() {
  section "faults, one round of the short list"
  marked env TEST_LANES="${TEST_LANES:-2}" "$go" test -count=1 -timeout 20m ./test/failover/faults
}

# Applications of other languages: those of what is installed (test/setup.sh --clients).
client_tests() {
  section "real applications, one failover of each kind"
  marked "$go" test -count=1 -timeout 10m ./test/clients
}

client_figures() {
  section "real applications, ${ROUNDS:?} failovers of each kind"
  local recorded=test/clients/RESULTS.md status=0
  (cd test/clients/programs/go && "$go" mod download)
  marked env TEST_ROUNDS="$ROUNDS" TEST_RESULTS="$PWD/$recorded" \
    "$go" test -count=1 -v -timeout "$((30 + ROUNDS * 10))m" -run "${CLIENTS:=.}" ./test/clients || status=$?
  section "$recorded"
  cat "$recorded"
  return "$status"
}

fault_figures() {
  section "faults, ${ROUNDS:?} rounds (FAULTS=${FAULTS:=.}, MODES=${MODES:=.})"
  local recorded=test/failover/RESULTS.md status=0
  marked env TEST_FAULTS="$FAULTS" TEST_MODES="$MODES" TEST_ROUNDS="$ROUNDS" TEST_RESULTS="$PWD/$recorded" \
    "$go" test -count=1 -v -timeout "$((30 + ROUNDS * 30))m" ./test/failover/faults || status=$?
  section "$recorded"
  cat "$recorded"
  return "$status"
}

failover_figures() {
  section "failover figures, ${ROUNDS:?} rounds"
  local recorded=test/failover/RESULTS.md status=0
  marked env TEST_ROUNDS="$ROUNDS" TEST_RESULTS="$PWD/$recorded" \
    "$go" test -count=1 -v -timeout "$((20 + ROUNDS * 4))m" ./test/failover || status=$?
  section "$recorded"
  cat "$recorded"
  return "$status"
}

restart_figures() {
  section "${TEST_RESTARTS:?} restarts under load, in each way"
  marked "$go" test -count=1 -v -timeout "$((10 + TEST_RESTARTS / 2))m" -run 'UnderLoad|Manager' ./test/restart
}

# So many inputs and not so many seconds: where a worker gets no processor for a while, a time that is over
# is "context deadline exceeded", a failure that is none.
fuzz_targets() {
  section "fuzz targets, ${FUZZTIME:=2000x} each"
  local package target
  grep -rl --include='*_test.go' '^func Fuzz' . | xargs -r -n1 dirname | sort -u | while read -r package; do
    grep -h '^func Fuzz' "$package"/*_test.go | sed 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/' | while read -r target; do
      echo "-- $package $target"
      marked "$go" test -run '^$' -fuzz "^$target\$" -fuzztime "$FUZZTIME" "$package" </dev/null
    done
  done
}

# docker-compose.yml in earnest, where that is asked for (TEST_COMPOSE, which .ci/run sets) and
# there is a Docker engine: it makes images under the names of those that the file asks for.
compose_wanted() { [ -n "${TEST_COMPOSE:-}" ] && docker info >/dev/null 2>&1; }

compose_tests() {
  section "docker-compose.yml: a killed and a paused master, drills"
  test/compose/run.sh
}

# What only needs processors gives way to what needs time: the latter runs beside it, and the
# former gets the processors when nobody else wants them (SCHED_IDLE).
timed_tests() {
  local said pid images="" status=0
  said=$(mktemp)
  (
    chrt --idle --pid 0 "$BASHPID"
    kubernetes_tests
    fuzz_targets
  ) >"$said" 2>&1 &
  pid=$!
  if compose_wanted; then
    chrt --idle 0 test/compose/standins.sh &
    images=$!
  fi
  failover_tests || status=$?
  fault_tests || status=$?
  client_tests || status=$?
  if [ -n "$images" ]; then
    wait "$images" || status=$?
    compose_tests || status=$?
  fi
  wait "$pid" || status=$?
  cat "$said"
  rm -f "$said"
  return "$status"
}

# A process that is just ending gets a moment; what is still there then is left.
leftovers() {
  section "processes left behind"
  local left
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    left=$(grep -lsa -- "$mark" /proc/[0-9]*/environ || true)
    if [ -z "$left" ]; then
      echo none
      return
    fi
    sleep 0.2
  done
  echo "$left" | cut -d/ -f3 | while read -r pid; do
    printf '%s %s\n' "$pid" "$(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null || true)"
  done
  return 1
}

case "${1:-}" in
  all) unit_tests; one_thread_tests; budget_tests; conformance_tests; timed_tests; leftovers ;;
  conformance) TEST_CONFORMANCE=full conformance_tests; leftovers ;;
  failover) failover_figures; leftovers ;;
  faults) fault_figures; leftovers ;;
  clients) client_figures; leftovers ;;
  restarts) restart_figures; leftovers ;;
  fuzz) fuzz_targets; leftovers ;;
  *) echo "usage: $0 all|conformance|failover|faults|clients|restarts|fuzz" >&2; exit 2 ;;
esac
section "done"
