# phpredis' own tests (sourced by clients.sh), from Debian's source package; that source is not
# to be had everywhere, then this suite is left out. Its array, cluster and Sentinel tests are not run.

library=phpredis
what='its own'

prepare() {
  need_packages php-cli php-redis
  debian_source php-redis
  version="$(php -r 'echo phpversion("redis");') (Debian)"
}

run() {
  cd "$suite"/redis-5*/tests
  # Its processes with sessions take the extension from the installed configuration.
  TEST_PHP_ARGS="-d memory_limit=128M" php TestRedis.php --nocolors --host 127.0.0.1 >"$out.log" 2>&1 || true
  /usr/bin/python3 "$here/phpredis.py" <"$out.log"
}
