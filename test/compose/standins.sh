#!/usr/bin/env bash
# Makes stand-ins for the images that docker-compose.yml and the Dockerfiles name, out of
# Debian's packages and this machine's Go, for machines that reach no registry. The files that
# are tested are the ones that users get; only what stands behind the names differs:
#
#   redis, prometheus   Debian's versions, not the pinned ones
#   python              Debian's Python, Flask, RQ and redis-py; pip does nothing
#   golang              this machine's Go and the modules that go.mod names; no network needed
#   grafana             none: Debian has no such package
#
#   standins.sh            makes those that are missing; an image that is there stays
#   standins.sh --remove   removes them
#
# Nothing is installed: packages are unpacked into a directory, and none of their scripts runs.
set -euo pipefail
cd "$(dirname "$0")/../.."

label=steadis.stand-in
base=steadis-stand-in
packages=(redis-server redis-tools prometheus python3 python3-flask python3-redis python3-rq gunicorn
  dash coreutils busybox ca-certificates)
work=

# named FILE PATTERN: the first image in FILE whose name begins with PATTERN.
named() {
  local image
  image=$(sed -nE "s#^ *(image:|FROM) *($2:[^ ]+).*#\2#p" "$1" | head -1)
  [ -n "$image" ] || { echo "standins: $1 names no image $2" >&2; exit 1; }
  echo "$image"
}

# remove takes away what carries the label, images before the one they are built on.
remove() {
  local images
  images=$(docker images --filter "label=$label" --format '{{.Repository}}:{{.Tag}}' | grep -v -e "^$base:" -e '<none>' || true)
  if [ -n "$images" ]; then docker rmi $images >/dev/null; fi
  if docker image inspect "$base" >/dev/null 2>&1; then docker rmi "$base" >/dev/null; fi
  docker image prune -f --filter "label=$label" >/dev/null # what was built on them
}

# unpack DIR: the packages and all that they need, as on an empty Debian.
unpack() {
  local root=$1 debs=$work/debs deb dir
  mkdir -p "$debs/partial"
  : >"$work/status"
  apt-get -qq -y --no-install-recommends --download-only \
    -o Dir::State::status="$work/status" -o Dir::Cache::archives="$debs" -o Debug::NoLocking=true \
    -o APT::Sandbox::User="$(id -un)" install "${packages[@]}" >/dev/null
  for dir in bin sbin lib lib64; do
    mkdir -p "$root/usr/$dir"
    ln -s "usr/$dir" "$root/$dir"
  done
  for deb in "$debs"/*.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$root" --no-same-owner --keep-directory-symlink \
      --exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' --exclude='./usr/share/locale/*'
  done
}

# complete DIR: what the packages' scripts would have made.
complete() {
  local root=$1
  ln -sf dash "$root/usr/bin/sh"
  mkdir -p "$root/etc/ssl/certs" "$root/usr/local/bin" "$root/tmp"
  chmod 1777 "$root/tmp"
  find "$root/usr/share/ca-certificates" -name '*.crt' -exec cat {} + >"$root/etc/ssl/certs/ca-certificates.crt"
  printf '%s\n' root:x:0:0::/root:/bin/sh redis:x:999:999::/data:/bin/sh nobody:x:65534:65534::/:/bin/sh >"$root/etc/passwd"
  printf '%s\n' root:x:0: redis:x:999: nogroup:x:65534: >"$root/etc/group"
  echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
  ln -s busybox "$root/usr/bin/wget"
}

# add_go DIR: Go, and a directory that serves its modules as a proxy would.
add_go() {
  local root=$1
  mkdir -p "$root/usr/local/go" "$root/go"
  tar -c -C "$(go env GOROOT)" --exclude=./test --exclude=./doc --exclude=./api . | tar -x -C "$root/usr/local/go" --no-same-owner
  GOMODCACHE=$work/modules GOFLAGS=-modcacherw GOPROXY="file://$(go env GOMODCACHE)/cache/download,$(go env GOPROXY)" go mod download
  mv "$work/modules/cache/download" "$root/go/proxy"
}

make_base() {
  local root=$work/root
  unpack "$root"
  complete "$root"
  add_go "$root"
  tar -c -C "$root" --owner=0 --group=0 . | docker import -c "LABEL $label=base" - "$base" >/dev/null
}

# stand_in NAME: an image on the base, with what standard input adds in a Dockerfile.
stand_in() {
  if docker image inspect "$1" >/dev/null 2>&1; then return; fi
  echo "stand-in for $1"
  { echo "FROM $base"; echo "LABEL $label=$1"; cat; } | docker build -q --force-rm --network none -t "$1" - >/dev/null
}

main() {
  if [ "${1:-}" = --remove ]; then
    remove
    return
  fi
  local redis prometheus python golang image missing=
  redis=$(named docker-compose.yml redis)
  prometheus=$(named docker-compose.yml prom/prometheus)
  python=$(named config/deploy/compose/app/Dockerfile python)
  golang=$(named Dockerfile golang)
  for image in "$redis" "$prometheus" "$python" "$golang"; do
    docker image inspect "$image" >/dev/null 2>&1 || missing=yes
  done
  if [ -z "$missing" ]; then return; fi
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  docker image inspect "$base" >/dev/null 2>&1 || make_base

  stand_in "$redis" <<'DOCKERFILE'
RUN mkdir /data && chown redis:redis /data
VOLUME /data
WORKDIR /data
CMD ["redis-server"]
DOCKERFILE
  stand_in "$prometheus" <<'DOCKERFILE'
RUN mkdir /prometheus && chown nobody:nogroup /prometheus
WORKDIR /prometheus
USER nobody
ENTRYPOINT ["/usr/bin/prometheus"]
CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]
DOCKERFILE
  stand_in "$python" <<'DOCKERFILE'
RUN ln -s /usr/bin/python3 /usr/local/bin/python && printf '#!/bin/sh\necho stand-in: the packages are those of Debian\n' >/usr/local/bin/pip && chmod 755 /usr/local/bin/pip && python -c 'import flask, gunicorn.app.wsgiapp, gunicorn.workers.gthread, rq.cli'
CMD ["python"]
DOCKERFILE
  stand_in "$golang" <<'DOCKERFILE'
ENV PATH=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin GOTOOLCHAIN=local GOPATH=/go GOPROXY=file:///go/proxy GOSUMDB=off
DOCKERFILE
}

main "$@"
