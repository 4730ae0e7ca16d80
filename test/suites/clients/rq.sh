# RQ as Debian has it. Its own tests are in no package; rq_use.py uses its main features.

library=RQ
what=ours

prepare() {
  need_packages python3-rq python3-redis
  version=$(package_version python3-rq)
}

run() {
  LC_ALL=C.UTF-8 /usr/bin/python3 "$here/rq_use.py"
}
