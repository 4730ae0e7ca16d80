#!/usr/bin/env bash
# Runs a command in front of a fresh deployment, in a network namespace of its own, so
# that the suites' fixed ports disturb nobody and nothing but this machine is reached:
#
#   unshare -n inside.sh WAY command ...
#
# The command finds a Redis on 127.0.0.1:6379 and [::1]:6379. With WAY "direct" this is
# redis-server itself, with "defaults" steadis in front of it as it comes, with
# "allowed" steadis with --allow-commands '*'. STEADIS is the program, WORK the place
# for logs. Ends as the command does.
set -euo pipefail

way=$1
shift
dir=$WORK/$way
rm -rf "$dir"
mkdir -p "$dir"
started=()

stop_all() {
  local pid
  for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${started[@]}"; do wait "$pid" 2>/dev/null || true; done
}

# until_answers PORT: waits at most 10 s for a PONG.
until_answers() {
  local i
  for ((i = 0; i < 100; i++)); do
    if [ "$(redis-cli -p "$1" ping 2>/dev/null)" = PONG ]; then return; fi
    sleep 0.1
  done
  echo "nobody answers on port $1; see $dir" >&2
  exit 1
}

start_redis() { # port, further arguments
  local port=$1
  shift
  redis-server --port "$port" --bind 127.0.0.1 ::1 --save "" --dir "$dir" --dbfilename "$port.rdb" \
    --enable-debug-command yes --enable-protected-configs yes --enable-module-command yes --repl-diskless-sync-delay 0 \
    "$@" >"$dir/redis-$port.log" 2>&1 &
  started+=($!)
  until_answers "$port"
}

start_sentinel() { # port, port of the master
  printf '%s\n' "port $1" 'bind 127.0.0.1' "dir $dir" "sentinel monitor mymaster 127.0.0.1 $2 1" \
    'sentinel down-after-milliseconds mymaster 60000' 'sentinel failover-timeout mymaster 10000' >"$dir/sentinel.conf"
  redis-server "$dir/sentinel.conf" --sentinel >"$dir/sentinel.log" 2>&1 &
  started+=($!)
  until_answers "$1"
}

start_steadis() { # further arguments
  "$STEADIS" serve --sentinel 127.0.0.1:17101 --master mymaster --listen 127.0.0.1:6379,[::1]:6379 \
    --admin 127.0.0.1:17201 --drain 300ms "$@" >"$dir/steadis.log" 2>&1 &
  started+=($!)
  until_answers 6379
}

ip link set lo up
trap stop_all EXIT
case $way in
direct)
  start_redis 6379
  start_sentinel 17101 6379 # it subscribes and pings: a client can see that
  ;;
defaults | allowed)
  start_redis 17100
  start_sentinel 17101 17100
  if [ "$way" = allowed ]; then start_steadis --allow-commands '*'; else start_steadis; fi
  ;;
*)
  echo "inside.sh: $way is neither direct, defaults nor allowed" >&2
  exit 2
  ;;
esac
"$@"
