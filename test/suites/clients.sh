#!/usr/bin/env bash
# Runs test suites of client libraries against redis-server and then against steadis in front
# of one, and compares them test by test. Ends 1 if a test that passes directly fails through
# steadis, 2 if a suite could not be run.
#
#   test/suites/clients.sh                  all suites; the figures go to test/suites/CLIENTS.md
#   test/suites/clients.sh go-redis rq      these; the figures are only printed
#   WAYS="defaults" test/suites/clients.sh  only through a steadis as it comes (else also with --allow-commands '*')
#
# On a Debian or Ubuntu with Go it installs what is missing, for which it must be root or have
# sudo. WORK keeps sources, logs, reports and figures (default: a new directory under TMPDIR);
# with RECORD=yes all figures that it has go to CLIENTS.md, whenever they were measured. STEADIS
# is a program to use instead of one that is built here.
set -euo pipefail

here=$(cd "$(dirname "$0")/clients" && pwd)
repo=$(cd "$here/../../.." && pwd)
running= # the process of the suite that runs now
every=(go-redis rueidis redigo redis-py rq kombu celery sidekiq node-redis php-redis)

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

# go_examples BINARY SKIP: its examples but those that match SKIP, each in a process of its own:
# one that fails ends its process.
go_examples() {
  local name
  for name in $("$suite/$1" -test.list '^Example' | grep -Ev "$2"); do go_test "$1" -test.run "^$name\$"; done
}

# debian_source NAME: the source package's upstream files, unpacked in $suite. Returns 3 if
# there is none. The lists of sources are our own: apt's configuration is not touched.
debian_source() {
  local at=$suite/apt f orig
  mkdir -p "$at/parts" "$at/lists/partial"
  for f in /etc/apt/sources.list.d/*.sources; do
    if [ -e "$f" ]; then sed 's/^Types:.*/Types: deb-src/' "$f" >"$at/parts/$(basename "$f")"; fi
  done
  if [ -e /etc/apt/sources.list ]; then sed -n 's/^deb /deb-src /p' /etc/apt/sources.list >"$at/parts/own.list"; fi
  chmod -R a+rwX "$at"
  local apt=(-o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$at/parts" -o "Dir::State::Lists=$at/lists")
  (
    cd "$suite"
    apt-get "${apt[@]}" update -qq || true # a source without sources is no obstacle
    apt-get "${apt[@]}" source -qq --download-only --only-source "$1" || true
  ) >"$suite/apt.log" 2>&1
  orig=$(find "$suite" -maxdepth 1 -name "$1_*.orig.tar.*" -print -quit)
  if [ -z "$orig" ]; then return 3; fi
  tar -xf "$orig" -C "$suite"
}

# run_suite WAY OUT: one run of the suite in front of a fresh deployment. Returns 1 if it ended
# with an error of its own, which is not that tests fail.
run_suite() {
  local unshare=(unshare -n)
  if [ "$(id -u)" != 0 ]; then unshare=(unshare -rn); fi
  say "$name: $1"
  WORK=$suite/deployment suite=$suite out=$2 timeout --kill-after=10s 40m "${unshare[@]}" "$here/inside.sh" "$1" \
    "$repo/test/suites/clients.sh" --inside "$name" >"$2.tsv" 2>"$2.err" &
  running=$!
  local got=0
  wait "$running" || got=1
  running=
  if [ $got != 0 ]; then say "$name: ended with an error; see $2.err"; fi
  return $got
}

# row WAY COUNTS: a row of the table of figures.
row() { printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$library" "$version" "$what" "$1" "$2" "$measured" >>"$WORK/$name.figures"; }

# compare_suite: runs the suite each way; a way with faults is run a second time. Returns 1 for
# faults, 2 if there is nothing to compare. What did not run through steadis is a fault.
compare_suite() {
  local way status=0 line
  run_suite direct "$suite/direct" || return 2
  for way in $WAYS; do
    run_suite "$way" "$suite/$way"
    if [ ! -s "$suite/direct.tsv" ] || [ ! -s "$suite/$way.tsv" ]; then
      say "$name: $way: there is nothing to compare"
      return 2
    fi
    if ! line=$(/usr/bin/python3 "$here/compare.py" "$suite/direct.tsv" "$way" "$suite/$way.tsv"); then
      run_suite "$way" "$suite/$way.again"
      line=$(/usr/bin/python3 "$here/compare.py" "$suite/direct.tsv" "$way" "$suite/$way.tsv" "$suite/$way.again.tsv") || status=1
    fi
    if [ "$(wc -l <<<"$line")" != 1 ]; then
      echo "$name through steadis, $way:"
      head -n -1 <<<"$line"
    fi
    row "$way" "$(tail -1 <<<"$line")"
  done
  return $status
}

# one_suite runs the suite $name. It must not be called where bash ignores set -e.
one_suite() {
  suite=$WORK/$name
  mkdir -p "$suite"
  # shellcheck source=/dev/null
  source "$here/$name.sh"
  rm -f "$WORK/$name.figures"
  (set -e && prepare && echo "$version" >"$suite/version")
  case $? in
  0) version=$(<"$suite/version") ;;
  3)
    say "$name: left out, its source is not to be had here"
    version=- what="$what; left out, its source was not to be had"
    row - $'-\t-\t-\t-\t-\t-'
    return 0
    ;;
  *)
    say "$name: it cannot be prepared; see $suite"
    return 2
    ;;
  esac
  compare_suite
}

# state_of_tree is the commit that is measured, and whether there are changes to what is built.
state_of_tree() {
  local changed
  changed=$(cd "$repo" && git --no-optional-locks status --porcelain -- cmd config proxy sentinel go.mod)
  echo "$(cd "$repo" && git rev-parse --short HEAD)${changed:+ with changes}"
}

main() {
  if [ "${1:-}" = --inside ]; then
    source "$here/$2.sh"
    run
    return
  fi
  export WORK=${WORK:-$(mktemp -d "${TMPDIR:-/tmp}/steadis-clients.XXXXXX")} WAYS=${WAYS:-defaults allowed}
  local status=0 got rows=()
  if [ $# = 0 ]; then
    RECORD=yes
    set -- "${every[@]}"
  fi
  for name in "$@"; do
    if [ ! -e "$here/$name.sh" ]; then
      say "no such suite: $name; there are ${every[*]}"
      exit 2
    fi
  done
  mkdir -p "$WORK"
  "$repo/test/setup.sh" --tests
  need_packages iproute2 util-linux
  if [ -z "${STEADIS:-}" ]; then (cd "$repo" && go build -o "$WORK/steadis" ./cmd/steadis); fi
  export STEADIS=${STEADIS:-$WORK/steadis}
  measured="$(date +%F), $(state_of_tree)"
  trap 'kill ${running:-} 2>/dev/null; exit 143' INT TERM
  for name in "$@"; do
    set +e
    one_suite
    got=$?
    set -e
    if [ $got != 0 ] && [ $status != 1 ]; then status=$got; fi
  done
  say "logs and reports are in $WORK"
  for name in "${every[@]}"; do if [ -e "$WORK/$name.figures" ]; then rows+=("$WORK/$name.figures"); fi; done
  /usr/bin/python3 "$here/table.py" "${rows[@]}" | if [ -n "${RECORD:-}" ]; then tee "$repo/test/suites/CLIENTS.md"; else cat; fi
  return $status
}

main "$@"
