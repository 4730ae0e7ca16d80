# The libraries with their defaults, in front of a master, a replica and a Sentinel: do they
# connect without a complaint in their logs (HELLO 3, CLIENT SETINFO, CLIENT TRACKING,
# CLIENT MAINT_NOTIFICATIONS ...), and does any of them notice two SENTINEL FAILOVERs?
# Directly there is no failover: that run shows that the programs themselves are right.

library='go-redis, rueidis, redis-py, RQ, Celery, redis-rb, Sidekiq, node-redis, phpredis: failovers'
what=ours
seconds=45
export REPLICA=yes

prepare() {
  need_packages python3-rq python3-celery python3-redis node-redis php-cli php-redis ruby ruby-sidekiq ruby-redis
  cp "$here/_keep/keep.go" "$suite"
  (
    cd "$suite"
    rm -f go.mod go.sum
    go mod init keep
    go get "github.com/redis/go-redis/v9@$(cd "$repo" && go list -m -f '{{.Version}}' github.com/redis/go-redis/v9)" github.com/redis/rueidis@v1.0.79
    go build -o keep .
  ) >"$suite/build.log" 2>&1 || { tail -5 "$suite/build.log" >&2; false; }
  version=-
}

# masters_address prints who is master by Sentinel's word.
masters_address() { redis-cli -p 17101 sentinel get-master-addr-by-name mymaster | tail -1; }

# await_replica waits at most 25 s until one of the two nodes is a replica in sync. For about 10 s
# after a failover the former master is none yet; asked for the next failover then, Sentinel
# makes it master again as it is, and all that was written since the first is gone.
await_replica() {
  local i port
  for ((i = 0; i < 250; i++)); do
    for port in 17100 17102; do
      if redis-cli -p $port info replication | grep -q '^master_link_status:up'; then return; fi
    done
    sleep 0.1
  done
}

# fail_over NAME: a planned failover, asked for until Sentinel has carried it out: while it
# knows no good replica it refuses, or gives up.
fail_over() {
  local before answer= i
  await_replica
  before=$(masters_address)
  for ((i = 0; i < 250; i++)); do
    if ((i % 40 == 0)) || [ "$answer" != OK ]; then answer=$(redis-cli -p 17101 sentinel failover mymaster); fi
    sleep 0.1
    if [ "$(masters_address)" != "$before" ]; then
      printf 'pass\tfailover %s\n' "$1"
      return
    fi
  done
  printf 'fail\tfailover %s\n' "$1"
}

# steadis_complains reports what steadis has logged as an error, or warned of beside the failovers
# (hold, switch) and what it says of this deployment at its start.
steadis_complains() {
  local said
  said=$(grep -E $'\t(WARN|ERROR|DPANIC|PANIC|FATAL)\t' "$WORK/${way%%.*}/steadis.log" |
    grep -Ev $'\tWARN\t(configuration: only one Sentinel|[0-9]+ file descriptors|sentinel\t(hold|switch|release without a switch)\t)' || true)
  if [ -z "$said" ]; then
    printf 'pass\tsteadis logs no complaint\n'
  else
    printf 'fail\tsteadis logs no complaint\t%s\n' "$(head -3 <<<"$said" | tr '\t\n' '  ')"
  fi
}

run() {
  local way=${out##*/} pids=() pid
  "$suite/keep" $seconds &
  pids+=($!)
  /usr/bin/python3 "$here/keep.py" $seconds &
  pids+=($!)
  NODE_PATH=/usr/share/nodejs nodejs "$here/keep.js" $seconds &
  pids+=($!)
  LC_ALL=C.UTF-8 ruby "$here/keep.rb" $seconds &
  pids+=($!)
  php "$here/keep.php" $seconds &
  pids+=($!)
  if [ "${way%%.*}" != direct ]; then
    sleep 5
    fail_over first
    fail_over second
  fi
  for pid in "${pids[@]}"; do wait "$pid" || true; done
  if [ "${way%%.*}" != direct ]; then steadis_complains; fi
}
