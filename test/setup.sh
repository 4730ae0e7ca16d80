#!/usr/bin/env bash
# Installs what the tests and the demo need and this machine lacks, from the
# distribution (Debian, Ubuntu). With nothing missing it does nothing at all.
#
#   test/setup.sh          redis-server (it is Sentinel as well)
#   test/setup.sh --tests  and python3-redis, with which a test checks what a client library sees,
#                          python3-flask and python3-rq, an app and its workers that go through failovers,
#                          promtool, which checks the alert rules,
#                          chromium, which opens the page that a drill writes,
#                          haproxy, to compare with, groff, which reads the man pages, iproute2 and nftables, with which the fault
#                          suite gives processes hosts of their own,
#                          and a C compiler, which the race detector needs
#   test/setup.sh --clients as --tests, and every library and tool that test/clients runs applications with
#   test/setup.sh --bench  and redis-benchmark, HAProxy and twemproxy, which steadis is compared with
#
# The packages start a system Redis when they are installed. While we install, a
# policy forbids that; afterwards it is gone. What ran before is not touched.
set -euo pipefail

policy=/usr/sbin/policy-rc.d
placed_policy=

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

remove_policy() {
  if [ -n "$placed_policy" ]; then as_root rm -f "$policy"; fi
}

forbid_service_starts() {
  if [ -e "$policy" ]; then return; fi # there is one already: it is not ours to change
  placed_policy=yes
  printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
  as_root chmod 755 "$policy"
}

# has_python MODULE ...: whether Debian's Python has them all.
has_python() {
  local m
  for m in "$@"; do /usr/bin/python3 -c "import $m" 2>/dev/null || return 1; done
}

# not_installed NAME ...: those of the packages that are not installed and that the distribution has.
not_installed() {
  local p
  for p in "$@"; do
    if [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ]; then continue; fi
    if apt-cache show "$p" >/dev/null 2>&1; then echo "$p"; else echo "setup: there is no package $p here" >&2; fi
  done
}

missing() {
  command -v redis-server >/dev/null || echo redis-server
  if [ "${1:-}" = --clients ]; then
    missing --tests
    not_installed python3-celery python3-hiredis node-redis ruby-redis ruby-sidekiq php-cli php-redis php-predis \
      libhiredis-dev prometheus-redis-exporter redis-tools iredis
  fi
  if [ "${1:-}" = --tests ]; then
    has_python redis || echo python3-redis
    # A Flask app and RQ workers go through failovers in every run of the tests.
    has_python flask rq || echo python3-flask python3-rq
    # Ubuntu has it only as a snap, which containers cannot run: there it is to be installed by hand.
    command -v promtool >/dev/null || echo prometheus
    if ! grep -qs '^ID=ubuntu' /etc/os-release; then command -v chromium >/dev/null || echo chromium; fi
    command -v haproxy >/dev/null || echo haproxy
    command -v groff >/dev/null || echo groff-base
    command -v ip >/dev/null && command -v tc >/dev/null || echo iproute2
    command -v nft >/dev/null || echo nftables
    command -v "${CC:-gcc}" >/dev/null || echo gcc libc6-dev
  fi
  if [ "${1:-}" = --bench ]; then
    command -v redis-benchmark >/dev/null || echo redis-tools
    PATH=$PATH:/usr/sbin command -v haproxy >/dev/null || echo haproxy
    PATH=$PATH:/usr/sbin command -v nutcracker >/dev/null || echo nutcracker
  fi
}

main() {
  local packages
  packages=$(missing "${1:-}")
  if [ -z "$packages" ]; then return; fi
  packages=$(echo $packages)
  if ! command -v apt-get >/dev/null; then
    echo "setup: please install: $packages (this script knows only apt-get)" >&2
    exit 1
  fi
  if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
    echo "setup: not root and no sudo; please install: $packages" >&2
    exit 1
  fi
  echo "setup: installing $packages" >&2
  trap remove_policy EXIT
  forbid_service_starts
  as_root apt-get update -qq -o DPkg::Lock::Timeout=300
  # shellcheck disable=SC2086 # several words on purpose
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 $packages >/dev/null
}

main "$@"
