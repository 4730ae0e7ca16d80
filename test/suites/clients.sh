#!/usr/bin/env bash
# Runs test suites of client libraries against redis-server and then against steadis in front
# of one, and compares them test by test. Ends 1 if a test that passes directly fails through steadis.
#
#   test/suites/clients.sh                  all suites, one after the other (about an hour)
#   test/suites/clients.sh go-redis rq      these
#   WAYS="defaults" test/suites/clients.sh  only through a steadis as it comes (else also with --allow-commands '*')
#
# On a Debian or Ubuntu with Go it installs what is missing, for which it must be root or have
# sudo. WORK keeps sources, logs and reports (default: a new directory under TMPDIR).
# test/suites/CLIENTS.md has the figures, and says what is left out.
set -euo pipefail

here=$(cd "$(dirname "$0")/clients" && pwd)
repo=$(cd "$here/../../.." && pwd)
running= # the process of the suite that runs now
every=(go-redis rueidis redigo redis-py rq kombu celery sidekiq node-redis php-redis failover)

say() { echo "clients: $*" >&2; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# need_packages NAME...: installs what is missing of them; no service may start meanwhile.
need_packages() {
  local missing=() p
  for p in "$@"; do
    if [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" != installed ]; then missing+=("$p"); fi
  done
  if [ ${#missing[@]} = 0 ]; then return; fi
  say "installing ${missing[*]}"
  local policy=/usr/sbin/policy-rc.d placed=
  if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
    as_root chmod 755 $policy
    placed=yes
  fi
  as_root apt-get update -qq || true
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$WORK/apt.log" 2>&1 ||
    { tail -5 "$WORK/apt.log" >&2; false; }
  if [ -n "$placed" ]; then as_root rm -f $policy; fi
}

package_version() { echo "$(dpkg-query -W -f '${Version}' "$1") (Debian)"; }

# go_module PATH VERSION: a copy of a Go module in $suite that may be changed.
go_module() {
  local dir
  dir=$(cd "$WORK" && go mod download -json "$1@$2" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
  cp -r "$dir/." "$suite"
  chmod -R u+w "$suite"
  version=$2
}

# go_test_binary PACKAGE NAME: compiles a package's tests, in its directory.
go_test_binary() {
  (cd "$suite/$1" && go test -vet=off -c -o "$2" . >>"$suite/build.log" 2>&1) || { tail -5 "$suite/build.log" >&2; false; }
}

# go_test BINARY ARGS...: runs it in its directory, one test at a time.
go_test() {
  local dir=$suite/$(dirname "$1") program=./$(basename "$1")
  shift
  (cd "$dir" && go tool test2json "$program" -test.v=test2json -test.parallel 1 -test.timeout 15m "$@" 2>>"$out.log" || true) |
    tee -a "$out.log" | /usr/bin/python3 "$here/gotest.py"
}

# debian_source NAME: the source package's upstream files, unpacked in $suite.
debian_source() {
  (cd "$suite" && apt-get source -qq --download-only --only-source "$1" >apt.log 2>&1 || true)
  local orig
  orig=$(ls "$suite/$1"_*.orig.tar.* 2>/dev/null | head -1)
  if [ -z "$orig" ]; then return 3; fi
  tar -xf "$orig" -C "$suite"
}

# run_suite WAY OUT: one run of the suite in front of a fresh deployment.
run_suite() {
  local unshare=(unshare -n)
  if [ "$(id -u)" != 0 ]; then unshare=(unshare -rn); fi
  say "$name: $1"
  WORK=$suite/deployment suite=$suite out=$2 timeout --kill-after=10s 40m "${unshare[@]}" "$here/inside.sh" "$1" \
    "$repo/test/suites/clients.sh" --inside "$name" >"$2.tsv" 2>"$2.err" &
  running=$!
  wait "$running" || say "$name: ended with an error; see $2.err"
  running=
}

# compare_suite: runs the suite each way; a way with faults is run a second time.
compare_suite() {
  local way got=0 line
  run_suite direct "$suite/direct"
  for way in $WAYS; do
    run_suite "$way" "$suite/$way"
    if ! line=$(/usr/bin/python3 "$here/compare.py" "$suite/direct.tsv" "$way" "$suite/$way.tsv"); then
      run_suite "$way" "$suite/$way.again"
      line=$(/usr/bin/python3 "$here/compare.py" "$suite/direct.tsv" "$way" "$suite/$way.tsv" "$suite/$way.again.tsv") || got=1
    fi
    if [ "$(wc -l <<<"$line")" != 1 ]; then
      echo "$name through steadis, $way:"
      head -n -1 <<<"$line"
    fi
    printf '%s\t%s\t%s\t%s\n' "$name" "$version" "$way" "$(tail -1 <<<"$line")" >>"$WORK/figures.tsv"
  done
  return $got
}

one_suite() {
  suite=$WORK/$name
  mkdir -p "$suite"
  unset REPLICA
  # shellcheck source=/dev/null
  source "$here/$name.sh"
  version=
  if ! prepare; then
    say "$name: left out, its source is not to be had here"
    printf '%s\t\tleft out\n' "$name" >>"$WORK/figures.tsv"
    return 0
  fi
  compare_suite
}

main() {
  if [ "${1:-}" = --inside ]; then
    source "$here/$2.sh"
    run
    return
  fi
  export WORK=${WORK:-$(mktemp -d "${TMPDIR:-/tmp}/steadis-clients.XXXXXX")} WAYS=${WAYS:-defaults allowed}
  local name status=0
  if [ $# = 0 ]; then set -- "${every[@]}"; fi
  for name in "$@"; do
    if [ ! -e "$here/$name.sh" ]; then
      say "no such suite: $name; there are ${every[*]}"
      exit 2
    fi
  done
  mkdir -p "$WORK"
  rm -f "$WORK/figures.tsv"
  "$repo/test/setup.sh" --tests
  need_packages iproute2 util-linux
  (cd "$repo" && go build -o "$WORK/steadis" ./cmd/steadis)
  export STEADIS=${STEADIS:-$WORK/steadis}
  trap 'kill ${running:-} 2>/dev/null; exit 143' INT TERM
  for name in "$@"; do one_suite || status=1; done
  say "logs and reports are in $WORK"
  printf '\nsuite\tversion\tsteadis\ttests\tdirectly\tsteadis\trefused\tunsteady\tfaults\n' | cat - "$WORK/figures.tsv" | column -t -s $'\t'
  return $status
}

main "$@"
