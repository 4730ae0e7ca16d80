# rueidis' own integration tests for a single Redis (sourced by clients.sh). Its other tests
# need no server, a cluster, Sentinels or other servers.

library=rueidis
what='its own: integration tests for a single Redis, rueidislock'

prepare() {
  go_module github.com/redis/rueidis v1.0.79
  go_test_binary . suite.test
  go_test_binary ./rueidislock lock.test
}

run() {
  cd "$suite"
  go_test suite.test -test.run '^(TestSingleClientIntegration|TestNegative|TestUnblockOnCancel)' -test.skip 'Sentinel|Cluster'
  go_test rueidislock/lock.test -test.skip 'Cluster|Sentinel'
}
