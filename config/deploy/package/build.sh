#!/usr/bin/env bash
# Builds the Debian package for this machine's architecture: build.sh DIR writes
# DIR/steadis_<version>_<architecture>.deb.
#
#   VERSION            what the program calls itself (default: what git says)
#   DEB_VERSION        the package's version (default: made of the tag, or of the commit's date)
#   SOURCE_DATE_EPOCH  the date of everything in it (default: the commit's)
#
# The same source and Go give the same bytes, whoever builds them, where and when.
set -euo pipefail
umask 022
out=$(mkdir -p "$1" && cd "$1" && pwd)
cd "$(dirname "$0")/../../.."
export LC_ALL=C TZ=UTC

go=${GO:-go}
nfpm=github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2
here=config/deploy/package
version=${VERSION:-$(git describe --tags --always --dirty 2>/dev/null || echo unknown)}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
DEB_ARCH=$("$go" env GOARCH)
DEB_VERSION=${DEB_VERSION:-$(git describe --tags --match 'v[0-9]*' 2>/dev/null | sed 's/^v//; s/-\([0-9]*\)-g/+\1.g/' || true)}
# A commit before the first tag is older than the first version.
DEB_VERSION=${DEB_VERSION:-0.1.0~$(date -d "@$SOURCE_DATE_EPOCH" +%Y%m%d.%H%M%S)}
export SOURCE_DATE_EPOCH DEB_ARCH DEB_VERSION

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

put() { install -D -m "${3:-644}" "$1" "$stage/$2"; }

# generated COMMAND... FILE: what the program prints.
generated() {
  local file=$stage/${*: -1}
  mkdir -p "$(dirname "$file")"
  "$stage/usr/bin/steadis" "${@:1:$#-1}" >"$file"
}

# licences writes those of everything that is part of the program.
licences() {
  local path dir file
  if [ -e LICENSE ]; then cat LICENSE; else echo "steadis: its repository states no licence."; fi
  printf '\n======== Go\n\n'
  cat "$("$go" env GOROOT)/LICENSE"
  "$go" list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Dir}}{{end}}{{end}}' ./cmd/steadis | sort -u | while read -r path dir; do
    printf '\n======== %s\n' "$path"
    for file in "$dir"/LICENSE* "$dir"/COPYING* "$dir"/NOTICE*; do
      if [ -f "$file" ]; then echo && cat "$file"; fi
    done
  done
}

lay_out() {
  local file
  mkdir -p "$stage/usr/bin" "$stage/usr/share/doc/steadis"
  CGO_ENABLED=0 "$go" build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$version" -o "$stage/usr/bin/steadis" ./cmd/steadis
  put config/deploy/steadis.yaml etc/steadis/steadis.yaml 640
  put $here/sysusers.conf usr/lib/sysusers.d/steadis.conf
  for file in config/deploy/steadis.service config/deploy/steadis.socket; do
    if [ ! -e "$file" ]; then continue; fi
    put "$file" "usr/lib/systemd/system/${file##*/}"
    # Without how to install it by hand, which stands up to the first empty line.
    sed -i -e '1,/^$/d' -e 's#/usr/local/bin/steadis#/usr/bin/steadis#' "$stage/usr/lib/systemd/system/${file##*/}"
  done
  "$stage/usr/bin/steadis" man --dir "$stage/usr/share/man/man1"
  gzip -9n "$stage"/usr/share/man/man1/*.1
  generated completion bash usr/share/bash-completion/completions/steadis
  generated completion zsh usr/share/zsh/vendor-completions/_steadis
  generated completion fish usr/share/fish/vendor_completions.d/steadis.fish
  generated config --default usr/share/doc/steadis/examples/default.yaml
  for file in README.md config/deploy/*.md; do put "$file" "usr/share/doc/steadis/${file##*/}"; done
  for file in sentinel.conf kubernetes/sidecar.yaml kubernetes/shared.yaml prometheus/alerts.yml grafana/steadis.json; do
    put "config/deploy/$file" "usr/share/doc/steadis/examples/$file"
  done
  licences >"$stage/usr/share/doc/steadis/copyright"
  for file in postinst prerm postrm; do put $here/$file "scripts/$file" 755; done
  find "$stage" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
}

lay_out
root=$PWD
cd "$stage"
"$go" run "$nfpm" package -f "$root/$here/nfpm.yaml" -p deb -t "$out"
