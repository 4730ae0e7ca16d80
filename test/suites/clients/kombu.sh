# kombu as Debian has it. Its own tests are in no package; kombu_use.py uses its Redis transport.

library=kombu
what=ours

prepare() {
  need_packages python3-kombu python3-redis
  version=$(package_version python3-kombu)
}

run() {
  /usr/bin/python3 "$here/kombu_use.py"
}
