#!/usr/bin/env bash
# Makes stand-ins for the images that docker-compose.yml and the Dockerfiles name, out of
# Debian's packages and this machine's Go, for machines that reach no registry. The files that
# are tested are the ones that users get; only what stands behind the names differs:
#
#   redis, prometheus   Debian's versions, not the pinned ones
#   python              Debian's Python, Flask, RQ and redis-py; pip does nothing
#   golang              this machine's Go, the modules that go.mod names, and what they compile to
#   grafana             none: Debian has no such package
#
#   standins.sh            makes those that are missing, all at one time; an image that is there stays,
#                          but for a stand-in for golang with the modules of another go.sum
#   standins.sh --remove   removes them
#
# Nothing is installed: packages are unpacked into a directory, and none of their scripts runs. Each
# image is one layer with few files, made without a container: with a storage driver that
# compares whole trees (fuse-overlayfs), every step of a Dockerfile costs time for each file of its base.
set -euo pipefail
cd "$(dirname "$0")/../.."

label=steadis.stand-in
work=
sums=$(sha256sum go.sum | cut -c1-16)

# named FILE PATTERN: the first image in FILE whose name begins with PATTERN.
named() {
  local image
  image=$(sed -nE "s#^ *(image:|FROM) *($2:[^ ]+).*#\2#p" "$1" | head -1)
  [ -n "$image" ] || { echo "standins: $1 names no image $2" >&2; exit 1; }
  echo "$image"
}

remove() {
  local images
  images=$(docker images --filter "label=$label" --format '{{.Repository}}:{{.Tag}}' | grep -v '<none>' || true)
  # shellcheck disable=SC2086 # one word an image
  if [ -n "$images" ]; then docker rmi $images >/dev/null; fi
  docker image prune -f --filter "label=$label" >/dev/null # what was built on them
}

# unpack DIR PACKAGE...: the packages and all that they need, as on an empty Debian.
unpack() {
  local root=$1 apt=$1.apt deb dir
  shift
  mkdir -p "$apt/archives/partial"
  : >"$apt/status"
  apt-get -qq -y --no-install-recommends --download-only -o Dir::State::status="$apt/status" -o Dir::Cache="$apt" \
    -o Debug::NoLocking=true -o APT::Sandbox::User="$(id -un)" install "$@" >/dev/null
  for dir in bin sbin lib lib64; do
    mkdir -p "$root/usr/$dir"
    ln -s "usr/$dir" "$root/$dir"
  done
  for deb in "$apt"/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$root" --no-same-owner --keep-directory-symlink \
      --exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' --exclude='./usr/share/locale/*' \
      --exclude='./usr/share/zoneinfo/*' --exclude='./usr/share/perl*' --exclude='./usr/share/javascript/*'
  done
  rm -r "$apt"
}

# complete DIR: what the packages' scripts would have made.
complete() {
  local root=$1
  ln -sf dash "$root/usr/bin/sh"
  mkdir -p "$root/etc/ssl/certs" "$root/usr/local/bin" "$root/tmp"
  chmod 1777 "$root/tmp"
  printf '%s\n' root:x:0:0::/root:/bin/sh redis:x:999:999::/data:/bin/sh nobody:x:65534:65534::/:/bin/sh >"$root/etc/passwd"
  printf '%s\n' root:x:0: redis:x:999: nogroup:x:65534: >"$root/etc/group"
  echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
}

# import IMAGE DIR [CHANGE]...: the directory as an image, with lines as in a Dockerfile.
import() {
  local image=$1 root=$2 change changes=(-c "LABEL $label=$1")
  shift 2
  for change in "$@"; do changes+=(-c "$change"); done
  tar -c -C "$root" --owner=0 --group=0 . | docker import "${changes[@]}" - "$image" >/dev/null
  rm -rf "$root"
  echo "stand-in for $image"
}

make_redis() {
  local root=$work/redis
  unpack "$root" redis-server redis-tools dash coreutils
  complete "$root"
  mkdir -m 1777 "$root/data" # for the user redis, as in the official image
  import "$1" "$root" 'VOLUME /data' 'WORKDIR /data' 'CMD ["redis-server"]'
}

make_prometheus() {
  local root=$work/prometheus
  unpack "$root" prometheus busybox dash coreutils
  complete "$root"
  ln -s busybox "$root/usr/bin/wget"
  mkdir -m 1777 "$root/prometheus"
  import "$1" "$root" 'WORKDIR /prometheus' 'USER nobody' 'ENTRYPOINT ["/usr/bin/prometheus"]' \
    'CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]'
}

make_python() {
  local root=$work/python
  unpack "$root" python3 python3-flask python3-redis python3-rq gunicorn dash coreutils
  complete "$root"
  ln -s /usr/bin/python3 "$root/usr/local/bin/python"
  printf '#!/bin/sh\necho stand-in: the packages are those of Debian\n' >"$root/usr/local/bin/pip"
  chmod 755 "$root/usr/local/bin/pip"
  import "$1" "$root" 'CMD ["python"]'
}

# make_golang brings the modules unpacked and compiled: that takes a minute here, and several in a
# container whose files go through fuse-overlayfs.
make_golang() {
  local root=$work/golang
  unpack "$root" ca-certificates dash coreutils
  complete "$root"
  find "$root/usr/share/ca-certificates" -name '*.crt' -exec cat {} + >"$root/etc/ssl/certs/ca-certificates.crt"
  rm -r "$root/usr/share/ca-certificates"
  mkdir -p "$root/usr/local/go" "$root/go" "$root/root/.cache/go-build"
  tar -c -C "$(go env GOROOT)" --exclude=./test --exclude=./doc --exclude=./api --exclude=./src/cmd --exclude=testdata \
    --exclude='*_test.go' . | tar -x -C "$root/usr/local/go" --no-same-owner
  export GOMODCACHE=$root/go/pkg/mod GOFLAGS=-modcacherw GOCACHE=$root/root/.cache/go-build
  GOPROXY="file://$modules/cache/download,$(go env GOPROXY)" go mod download
  CGO_ENABLED=0 GOFLAGS=-modcacherw go build -trimpath -o "$work/steadis" ./cmd/steadis
  import "$1" "$root" "LABEL $label.modules=$sums" 'ENV PATH=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    'ENV GOTOOLCHAIN=local' 'ENV GOPATH=/go' 'ENV GOPROXY=off' 'ENV GOSUMDB=off' 'ENV HOME=/root'
}

# current MAKER IMAGE: it is there, and if it is a stand-in for golang, with the modules of today.
current() {
  local labels
  labels=$(docker image inspect -f "{{index .Config.Labels \"$label\"}} {{index .Config.Labels \"$label.modules\"}}" "$2" 2>/dev/null) || return 1
  [ "$1" != make_golang ] || [ "$labels" = " " ] || [ "$labels" = "$2 $sums" ]
}

main() {
  local making=() job failed=
  if [ "${1:-}" = --remove ]; then
    remove
    return
  fi
  work=$(mktemp -d)
  trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
  modules=$(go env GOMODCACHE)

  # begin MAKER IMAGE: in the background, unless the image is there.
  begin() {
    if current "$1" "$2"; then return; fi
    "$1" "$2" &
    making+=($!)
  }
  begin make_golang "$(named Dockerfile golang)"
  begin make_python "$(named config/deploy/compose/app/Dockerfile python)"
  begin make_redis "$(named docker-compose.yml redis)"
  begin make_prometheus "$(named docker-compose.yml prom/prometheus)"
  for job in "${making[@]}"; do
    wait "$job" || failed=yes
  done
  [ -z "$failed" ] || { echo "standins: not all could be made" >&2; return 1; }
}

main "$@"
