# redigo's own tests (sourced by clients.sh). They start a redis-server of their own, for
# which a stand-in is given that starts nothing: the address is that of the server under test.

library=redigo
what='its own'

prepare() {
  go_module github.com/gomodule/redigo v1.9.3
  go_test_binary ./redis redis.test
  go_test_binary ./redisx redisx.test
  cat >"$suite/redis-server" <<'END'
#!/usr/bin/python3
import signal, subprocess, sys
if sys.argv[1:] == ["--version"]:
    sys.exit(subprocess.call(["redis-server", "--version"]))
ended = [signal.SIGINT, signal.SIGTERM]
signal.pthread_sigmask(signal.SIG_BLOCK, ended)
for s in ended:  # ignored in what a shell starts in the background
    signal.signal(s, lambda *_: None)
print(" * Ready to accept connections", flush=True)
signal.sigwait(ended)
END
  chmod +x "$suite/redis-server"
}

run() {
  cd "$suite"
  go_test redis/redis.test -redis-server "$suite/redis-server" -redis-port 6379
  go_test redisx/redisx.test
}
