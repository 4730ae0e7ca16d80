# Celery as Debian has it. Its own tests are in no package; celery_use.py uses its main features.

library=Celery
what=ours

prepare() {
  need_packages python3-celery python3-redis
  version=$(package_version python3-celery)
}

run() {
  C_FORCE_ROOT=1 /usr/bin/python3 "$here/celery_use.py"
}
