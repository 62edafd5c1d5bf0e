#!/bin/sh
# Installs the eventbus program of this release, after comparing its SHA-256 with the one in SHA256SUMS.
#
#   sh install.sh [FOLDER]      FOLDER: where the program is put; default /usr/local/bin, or ~/.local/bin if that is not writable
#
# EVENTBUS_RELEASE_URL is where the release is; the release workflow puts its own address here.
set -eu

release=${EVENTBUS_RELEASE_URL:-@RELEASE_URL@}

main() {
  folder=${1:-$(default_folder)}
  name=eventbus-$(platform)
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  download "$release/SHA256SUMS" "$work/SHA256SUMS"
  download "$release/$name" "$work/$name"
  (cd "$work" && grep " $name\$" SHA256SUMS >sum && check sum) || fail "$name is not what SHA256SUMS says: nothing was installed"
  mkdir -p "$folder"
  chmod 755 "$work/$name"
  # A running program continues with the old file.
  mv -f "$work/$name" "$folder/eventbus"
  "$folder/eventbus" version >/dev/null || fail "$folder/eventbus does not run on this machine"
  printf 'eventbus %s is in %s\n' "$("$folder/eventbus" version)" "$folder"
  case ":$PATH:" in *":$folder:"*) ;; *) printf 'add it to PATH: export PATH="%s:$PATH"\n' "$folder" ;; esac
}

platform() {
  case "$(uname -s)" in
    Linux) os=linux ;;
    Darwin) os=darwin ;;
    *) fail "there is no program for $(uname -s) here: on Windows, download eventbus-windows-x64.exe" ;;
  esac
  case "$(uname -m)" in
    x86_64 | amd64) cpu=x64 ;;
    aarch64 | arm64) cpu=arm64 ;;
    *) fail "there is no program for $(uname -m)" ;;
  esac
  kind=
  if [ $os = linux ] && ldd --version 2>&1 | grep -qi musl; then kind=-musl
  elif [ $os-$cpu = linux-x64 ]; then kind=-baseline; fi
  printf '%s-%s%s' $os $cpu "$kind"
}

default_folder() {
  if [ -w /usr/local/bin ]; then echo /usr/local/bin; else echo "$HOME/.local/bin"; fi
}

download() {
  if command -v curl >/dev/null; then curl --fail --silent --show-error --location --output "$2" "$1"
  elif command -v wget >/dev/null; then wget -q -O "$2" "$1"
  else fail "curl or wget is needed"; fi || fail "$1 could not be downloaded"
}

check() {
  if command -v sha256sum >/dev/null; then sha256sum -c "$1" >/dev/null 2>&1
  else shasum -a 256 -c "$1" >/dev/null 2>&1; fi
}

fail() {
  printf 'install.sh: %s\n' "$1" >&2
  exit 1
}

main "$@"
