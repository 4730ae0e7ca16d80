#!/usr/bin/env bash
# Redis' own TCL suite (7.0.15, its external-server mode) directly and through steadis,
# before a master that Sentinel watches. It ends 0 only if every test that passes
# directly passes through steadis. About 4 minutes each, on 2 cores.
#
#   test/suites/tcl.sh                 everything but what is tagged slow
#   test/suites/tcl.sh unit/type/list  some units
#
# The suite comes from Debian's source package of redis and stays in a temporary
# directory. Left out, because SYNC never passes a proxy: what is tagged needs:repl, and
# four tests that attach to the replication stream without that tag.
set -euo pipefail
cd "$(dirname "$0")/../.."

work=$(mktemp -d)
pids=()
finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# The package sources of this machine, with deb-src, in lists of our own.
fetch_suite() {
  local missing=()
  command -v tclsh8.6 >/dev/null || missing+=(tcl8.6)
  command -v redis-benchmark >/dev/null || missing+=(redis-tools)
  command -v dpkg-source >/dev/null || missing+=(dpkg-dev)
  if [ ${#missing[@]} -gt 0 ]; then
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  fi
  mkdir -p "$work/apt/parts" "$work/lists/partial" "$work/source"
  for f in /etc/apt/sources.list.d/*.sources; do
    [ -e "$f" ] && sed 's/^Types:.*/Types: deb-src/' "$f" >"$work/apt/parts/$(basename "$f")"
  done
  if [ -e /etc/apt/sources.list ]; then sed -n 's/^deb /deb-src /p' /etc/apt/sources.list >"$work/apt/parts/own.list"; fi
  local apt=(-o "Dir::Etc::SourceList=/dev/null" -o "Dir::Etc::SourceParts=$work/apt/parts" -o "Dir::State::Lists=$work/lists")
  chmod -R a+rwX "$work"
  apt-get "${apt[@]}" update -qq || true # a source without sources is no obstacle
  (cd "$work/source" && apt-get "${apt[@]}" source -qq --download-only redis >/dev/null && tar xf redis_7.0.*.orig.tar.gz)
  suite=$(echo "$work"/source/redis-7.0.*/)
  for program in redis-cli redis-benchmark redis-server; do ln -sf "$(command -v $program)" "$suite/src/$program"; done
}

free_port() { python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])'; }

start_master() {
  master=$(free_port) sentinel=$(free_port)
  mkdir -p "$work/master-$master"
  redis-server --port "$master" --bind 127.0.0.1 --save "" --dir "$work/master-$master" --enable-debug-command yes \
    --enable-protected-configs yes --enable-module-command yes --logfile "$work/master-$master.log" &
  pids+=($!)
  printf 'port %s\nbind 127.0.0.1\nsentinel monitor mymaster 127.0.0.1 %s 1\nsentinel down-after-milliseconds mymaster 60000\n' \
    "$sentinel" "$master" >"$work/sentinel-$sentinel.conf"
  redis-server "$work/sentinel-$sentinel.conf" --sentinel --logfile "$work/sentinel-$sentinel.log" &
  pids+=($!)
  sleep 1
}

start_steadis() {
  front=$(free_port)
  "$work/steadis" serve --sentinel "127.0.0.1:$sentinel" --master mymaster --listen "127.0.0.1:$front" --admin "" \
    --allow-commands '*' >"$work/steadis.log" 2>&1 &
  pids+=($!)
  until redis-cli -p "$front" ECHO up >/dev/null 2>&1; do sleep 0.1; done
}

# run PORT OUT [UNIT...]
run() {
  local port=$1 out=$2 units=()
  shift 2
  for unit in "$@"; do units+=(--single "$unit"); done
  (cd "$suite" && ./runtest --host 127.0.0.1 --port "$port" --tags "-slow -needs:repl" --timeout 120 \
    --skiptest "/Lazy-expire should not be wrapped" --skiptest "/on blocked client, key already expired" \
    --skiptest "/SWAPDB wants to wake blocked client, but the key already expired" \
    "${units[@]}") >"$out" 2>&1 || true
  sed 's/\x1b\[[0-9;]*m//g' "$out" | sed -n 's/^\[ok\]: \(.*\) ([0-9]* ms)$/\1/p' | sort >"$out.passed"
}

fetch_suite
go build -o "$work/steadis" ./cmd/steadis
start_master
run "$master" "$work/direct" "$@"
echo "directly: $(wc -l <"$work/direct.passed") tests passed"
start_master # a fresh one: the suite leaves configuration behind
start_steadis
run "$front" "$work/through" "$@"
echo "through steadis: $(wc -l <"$work/through.passed") tests passed"
lost=$(comm -23 "$work/direct.passed" "$work/through.passed")
if [ -n "$lost" ]; then
  echo "passed directly, not through steadis:"
  echo "$lost"
  sed 's/\x1b\[[0-9;]*m//g' "$work/through" | grep -A5 '^\[err\]\|^\[exception\]\|TIMEOUT' | head -60 || true
  exit 1
fi
