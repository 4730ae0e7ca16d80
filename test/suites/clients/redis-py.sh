# redis-py as Debian has it. Its own tests are in no package; redis_use.py uses its main features.

library=redis-py
what=ours

prepare() {
  need_packages python3-redis
  version=$(package_version python3-redis)
}

run() {
  /usr/bin/python3 "$here/redis_use.py"
}
