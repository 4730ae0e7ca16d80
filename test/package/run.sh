#!/usr/bin/env bash
# Builds the Debian package (or takes two, of which the second is newer: run.sh ONE TWO) and installs, upgrades, removes and purges it, as root, on a copy of this
# machine: an overlay over its files that is gone afterwards, without a network. Nothing is
# changed here. Ends with the plain line "N passed, N failed".
set -euo pipefail

passed=0 failed=0

# check WHAT COMMAND...: counts whether the command succeeds.
check() {
  local what=$1
  shift
  if "$@"; then
    passed=$((passed + 1))
    echo "ok    $what"
  else
    failed=$((failed + 1))
    echo "FAIL  $what"
  fi
}

not() { ! "$@"; }

quietly() { "$@" >/dev/null 2>&1; }

outcome() {
  echo "$passed passed, $failed failed"
  [ "$failed" = 0 ]
}

# -- on the copy ------------------------------------------------------------------------------

# leftovers names what differs from this machine's files, besides dpkg's own memory: the upper
# layer has all that was written, and devices in place of what was removed.
leftovers() {
  local file
  (cd /tmp/upper && find . -mindepth 1 -printf '/%P\n') | grep -v -e '^/var/lib/dpkg/' -e '^/var/log/' -e '^/etc/[a-z]*-$' -e '^/etc/.pwd.lock$' | while read -r file; do
    if [ -c "/tmp/upper$file" ]; then echo "      gone: $file"; fi
    if [ ! -e "/tmp/lower$file" ] && [ ! -L "/tmp/lower$file" ]; then echo "      left: $file"; fi
  done
}

nothing_is_left() { leftovers | tee /tmp/left; [ ! -s /tmp/left ]; }

accounts() { sort /etc/passwd /etc/group /etc/shadow /etc/gshadow | sha256sum; }

as() { setpriv --reuid "$1" --regid "$(id -g "$1")" --clear-groups "${@:2}"; }

owned() { [ "$(stat -c '%U:%G %a' "$2")" = "$1" ]; }

package_files_are_roots() { ! dpkg-deb -c "$1" | awk '{ print $2 }' | grep -qvx root/root; }

conffiles_are() { [ "$(dpkg-query -W -f '${Conffiles}' steadis | awk '{ print $1 }' | xargs)" = "$*" ]; }

hidden_from_others() {
  local said
  if said=$(as nobody steadis config --config /etc/steadis/steadis.yaml 2>&1); then return 1; fi
  grep -qi 'permission' <<<"$said" || { echo "$said"; return 1; }
}

# serves starts the program as the service would, waits for its first words, and ends it.
serves() {
  local log=/tmp/serve.log pid code=0
  # Not by as, whose shell would be what is waited for.
  setpriv --reuid steadis --regid steadis --clear-groups steadis serve --config /etc/steadis/steadis.yaml 2>$log &
  pid=$!
  for _ in $(seq 600); do
    if as nobody steadis health --live >/dev/null 2>&1; then break; fi
    sleep 0.1 # between two questions
  done
  kill -TERM "$pid"
  wait "$pid" || code=$?
  if [ "$code" != 143 ] || ! grep -q 'steadis starts' $log || ! grep -q 'draining' $log; then
    cat $log
    return 1
  fi
}

completes() {
  # shellcheck disable=SC1091 # bash's own loader of completions
  bash -c '. /usr/share/bash-completion/completions/steadis && complete -p steadis' >/dev/null
}

unit_is_sound() {
  if ! command -v systemd-analyze >/dev/null; then return; fi
  systemd-analyze verify /usr/lib/systemd/system/steadis.service
}

installs() {
  local deb=$1
  check "dpkg installs it" dpkg --no-triggers -i "$deb"
  check "its files are root's" package_files_are_roots "$deb"
  check "only the configuration is a conffile" conffiles_are /etc/steadis/steadis.yaml
  check "the configuration is root's, and the service may read it" owned "root:steadis 640" /etc/steadis/steadis.yaml
  check "the user has no shell" grep -q '^steadis:.*:/usr/sbin/nologin$' /etc/passwd
  check "the program says its version" quietly steadis version
  check "the user steadis reads a configuration that is whole" quietly as steadis steadis config --config /etc/steadis/steadis.yaml
  check "others do not" hidden_from_others
  check "it serves as the user steadis, and ends cleanly" serves
  check "the unit is sound" unit_is_sound
  check "the unit starts this program" grep -q '^ExecStart=/usr/bin/steadis serve' /usr/lib/systemd/system/steadis.service
  check "bash completes it" completes
  check "zsh and fish have completions" test -s /usr/share/zsh/vendor-completions/_steadis -a -s /usr/share/fish/vendor_completions.d/steadis.fish
  check "there are man pages" test -s /usr/share/man/man1/steadis.1.gz -a -s /usr/share/man/man1/steadis-serve.1.gz
  check "the guide is there" test -s /usr/share/doc/steadis/troubleshooting.md -a -s /usr/share/doc/steadis/examples/sentinel.conf
  check "licences of what it contains are there" grep -q '^======== github.com/tidwall/redcon$' /usr/share/doc/steadis/copyright
}

upgrades() {
  local deb=$1
  echo '# changed by the administrator' >>/etc/steadis/steadis.yaml
  chmod 600 /etc/steadis/steadis.yaml
  check "a newer version is installed over it" dpkg --no-triggers -i "$deb"
  check "the changed configuration stays" grep -q 'changed by the administrator' /etc/steadis/steadis.yaml
  check "and so does its mode" owned "root:steadis 600" /etc/steadis/steadis.yaml
}

leaves() {
  check "removal leaves the configuration" dpkg --no-triggers -r steadis
  check "and nothing to run" not test -e /usr/bin/steadis -o -e /usr/lib/systemd/system/steadis.service
  check "and the configuration is there" test -s /etc/steadis/steadis.yaml
  check "purge works" dpkg --no-triggers -P steadis
  check "purge leaves no file" nothing_is_left
  check "purge leaves no user" test "$(accounts)" = "$before"
}

on_the_copy() {
  ip link set lo up
  export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive
  before=$(accounts)
  installs /tmp/one.deb
  upgrades /tmp/two.deb
  leaves
  outcome
}

# -- here -------------------------------------------------------------------------------------

# copied runs this script's second half in namespaces of its own, on the overlay.
copied() {
  local dir=$1
  # shellcheck disable=SC2016 # the words are those of the shell within
  unshare --mount --net --pid --fork bash -euc '
    mount --make-rprivate /
    mount -t tmpfs tmpfs "$1"
    mkdir "$1/upper" "$1/work" "$1/root"
    mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
    mount -t tmpfs tmpfs "$1/root/tmp"
    mount -t proc proc "$1/root/proc"
    mount --rbind /dev "$1/root/dev"
    mkdir "$1/root/tmp/upper" "$1/root/tmp/lower"
    mount --bind "$1/upper" "$1/root/tmp/upper"
    mount --bind / "$1/root/tmp/lower"
    cp "$2" "$1/root/tmp/one.deb"
    cp "$3" "$1/root/tmp/two.deb"
    cp "$0" "$1/root/tmp/run.sh"
    exec chroot "$1/root" bash /tmp/run.sh --on-the-copy
  ' "$0" "$dir" "$2" "$3"
}

main() {
  local here work one again two
  here=$(cd "$(dirname "$0")" && pwd)
  work=$(mktemp -d)
  # shellcheck disable=SC2064 # what it is now
  trap "rm -rf '$work'" EXIT
  build() { "$here/../../config/deploy/package/build.sh" "$1" >/dev/null; ls "$1"/*.deb; }
  if [ "$#" = 2 ]; then
    one=$1 two=$2
  else
    one=$(build "$work/one")
    again=$(umask 077 && cd / && TZ=Asia/Tokyo LC_ALL=C.UTF-8 build "$work/again")
    two=$(DEB_VERSION=99.0 build "$work/two")
    check "built again, elsewhere, it has the same bytes" cmp "$one" "$again"
  fi
  if [ "$(id -u)" != 0 ] || ! unshare --mount --net --pid --fork true 2>/dev/null; then
    echo "package: not installed: that takes root and namespaces, which this machine does not give"
    outcome
    return
  fi
  mkdir "$work/copy"
  local said
  copied "$work/copy" "$one" "$two" | tee "$work/said" || true
  said=$(tail -1 "$work/said")
  [[ $said =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]] || { echo "package: the copy ended early"; failed=$((failed + 1)); }
  passed=$((passed + ${BASH_REMATCH[1]:-0})) failed=$((failed + ${BASH_REMATCH[2]:-0}))
  outcome
}

if [ "${1:-}" = --on-the-copy ]; then on_the_copy; else main "$@"; fi
