#!/bin/sh
# A Redis node of docker-compose.yml: node.sh <own name> [<first master>].
#
# Sentinel changes the node's role and has it written into its configuration, which
# therefore stands with the data and is made only once.
set -eu
name=$1
master=${2:-}
config=/data/redis.conf

if [ -e "$config" ]; then
  # Docker starts a crashed master again at once. Back before the Sentinels miss it (1 s),
  # it would go on as master, and there would be no failover to see.
  sleep 3
else
  {
    echo "port 6379"
    echo "dir /data"
    echo "appendonly yes"
    # No password, in a network that only these containers share.
    echo "protected-mode no"
    # Addresses change when a container is made anew; names stay.
    echo "replica-announce-ip $name"
    # A replica that must copy everything after a failover gets it at once, not after 5 s, in
    # which no write could be confirmed (durable.replicas).
    echo "repl-diskless-sync-delay 0"
    # `steadis drill --kind crash` and `freeze` need it; not for production.
    echo "enable-debug-command yes"
    if [ -n "$master" ]; then echo "replicaof $master 6379"; fi
  } >"$config"
fi
exec redis-server "$config"
