#!/bin/sh
# A Sentinel of docker-compose.yml: sentinel.sh <own name>. Its file, which it rewrites, is
# made once and kept: in it stands who is master now. ../../sentinel.conf explains the settings.
set -eu
name=$1
config=/data/sentinel.conf

if [ ! -e "$config" ]; then
  cat >"$config" <<CONFIG
port 26379
dir /data
protected-mode no
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel announce-ip $name
sentinel monitor mymaster redis-1 6379 2
sentinel down-after-milliseconds mymaster 1000
sentinel failover-timeout mymaster 10000
sentinel parallel-syncs mymaster 1
CONFIG
fi
exec redis-server "$config" --sentinel
