# go-redis' own tests (sourced by clients.sh). The module's ginkgo suite expects a
# cluster, a ring and Sentinels of its own; what needs these, TLS, or modules and
# commands that Redis 7.0 does not have, is left out.

library=go-redis
what='its own: ginkgo suite, Go tests, doctests'

# Files of the ginkgo suite that are not run: cluster, ring, Sentinel, TLS (none here) and Redis Stack's modules or Redis 8.
go_redis_files='(osscluster|ring|sentinel|tls|tls_cluster|tls_standalone|search|search_builders|search_aliaslist_integration|json|timeseries_commands|timeseries_querylabels_integration|probabilistic|vectorset_commands_integration|array_commands|himport_commands|hotkeys_commands)_test.go$'
go_redis_specs='cluster races|UniversalClient.*([Cc]luster|failover)'
go_redis_tests='Cluster|Ring|Sentinel|TLS|Failover|Search'
# Tests that pass by chance: one skips itself unless a call happens to be given up in its middle (directly
# in 9 of 10 runs), two want the members of a set in one of their orders.
go_redis_chance='TestCSCMissCoalesceAbandonedFetchNoRace|ExampleClient_(sadd|smembers)_cmd'

prepare() {
  go_module github.com/redis/go-redis/v9 "$(cd "$repo" && go list -m -f "{{.Version}}" github.com/redis/go-redis/v9)"
  # The suite's preparation talks to its cluster, ring and Sentinels; these are not there.
  sed -i '/^var _ = BeforeSuite/,/^func TestGinkgoSuite/ s/if !RECluster {/if false {/' "$suite/main_test.go"
  go_test_binary . suite.test
  go_test_binary ./doctests doctests.test
}

run() {
  export REDIS_VERSION=7.0 RCE_DOCKER=false REDIS_PORT=6379
  cd "$suite"
  ./suite.test -test.timeout 20m -test.run '^TestGinkgoSuite$' --ginkgo.seed=1 --ginkgo.json-report="$out.json" \
    --ginkgo.skip-file="$go_redis_files" --ginkgo.skip="$go_redis_specs" >"$out.ginkgo.log" 2>&1 || true
  /usr/bin/python3 "$here/ginkgo.py" "$out.json"
  go_test suite.test -test.skip "TestGinkgoSuite|^Example|$go_redis_chance|$go_redis_tests"
  go_examples suite.test "$go_redis_chance|$go_redis_tests"
  go_test doctests/doctests.test -test.skip "^Example|$go_redis_tests"
  go_examples doctests/doctests.test "$go_redis_chance|$go_redis_tests"
}
