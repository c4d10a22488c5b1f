#!/bin/sh
# Puts the madmail executable on this machine, after checking where it comes from, or removes it again.
#   curl -fsSL https://…/install.sh | sh -s -- [options] [-- options of `madmail install`]
#   sh install.sh [options] [-- options of `madmail install`]
#
#   --from URL|DIR      where the release lies: http(s)://, file:// or a directory (default: this script's own place)
#   --version V         that version, where more than one lies there
#   --public-key FILE   PEM file with the key that signed the release (default: the one inside this script)
#   --binary FILE       an executable that you built yourself, instead of a release
#   --name NAME         what the program is called here, and all that it makes (default: madmail)
#   --root DIR          below this directory instead of /
#   --uninstall         remove program and service; configuration, mail and accounts stay
#   --purge             with --uninstall: remove those too
#
# Nothing runs before checksum and signature are right. What comes after `--` goes to `madmail install`, for example
# `-- --simple --domain relay.example`; without it only the executable is put into place.
set -eu

# Filled in when a release is made.
release_key=''
release_url=''

work=''

say() { printf '%s\n' "$*"; }
fail() {
  printf 'install.sh: %s\n' "$*" >&2
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }
cleanup() { [ -z "$work" ] || rm -rf "$work"; }

# The end is the only line that does something: a script cut short on its way does nothing.
main() {
  from='' version='' key_file='' binary='' name=madmail root='' action=install purge=''
  while [ $# -gt 0 ]; do
    case $1 in
      --from | --version | --public-key | --binary | --name | --root)
        [ $# -ge 2 ] || fail "$1 needs a value"
        case $1 in
          --from) from=$2 ;;
          --version) version=$2 ;;
          --public-key) key_file=$2 ;;
          --binary) binary=$2 ;;
          --name) name=$2 ;;
          --root) root=${2%/} ;;
        esac
        shift 2
        ;;
      --uninstall) action=uninstall; shift ;;
      --purge) purge=--purge; shift ;;
      -h | --help) usage; exit 0 ;;
      --) shift; break ;;
      *) fail "unknown option $1 (see --help)" ;;
    esac
  done
  case $name in
    '' | *[!a-z0-9_-]* | [!a-z]*) fail "--name: expected a-z, 0-9, - and _, beginning with a letter, found '$name'" ;;
  esac
  target=$root/usr/local/bin/$name
  if [ "$action" = uninstall ]; then
    uninstall
    return
  fi

  trap cleanup EXIT
  trap 'exit 1' HUP INT TERM
  work=$(mktemp -d "${TMPDIR:-/tmp}/install.XXXXXX")
  choose_source
  if [ -n "$binary" ]; then
    [ -f "$binary" ] || fail "$binary is not there"
    say "Taking $binary, which you built: no signature to check."
  else
    platform=$(detect_platform)
    take_release
  fi
  "$binary" version >/dev/null || fail "$binary does not run on this machine; it needs $(needs)"
  if [ -f "$binary.sig" ] && [ -x "$target" ] && "$target" version >/dev/null 2>&1; then
    # What is installed checks what comes, and takes it back if it does not work.
    "$target" upgrade "$binary" --name "$name" --root "${root:-/}"
    [ $# -eq 0 ] || "$target" install --name "$name" --root "${root:-/}" "$@"
  elif [ $# -eq 0 ]; then
    "$binary" install --binary-only --name "$name" --root "${root:-/}"
    say "Next: $target install    (asks what it needs; --dry-run shows what it would do)"
  else
    "$binary" install --name "$name" --root "${root:-/}" "$@"
  fi
}

usage() {
  say "Usage: sh install.sh [--from URL|DIR] [--version V] [--public-key FILE] [--binary FILE] [--name NAME]"
  say "                     [--root DIR] [--uninstall [--purge]] [-- options of \`madmail install\`]"
  say "The head of this script says what they mean."
}

# Where the release lies: as told, else beside this script, else where it was made to come from, else an own build.
choose_source() {
  [ -z "$binary" ] || return 0
  if [ -z "$from" ]; then
    here=''
    if [ -f "$0" ]; then here=$(cd "$(dirname "$0")" && pwd); fi
    if [ -n "$here" ] && [ -f "$here/SHA256SUMS" ]; then
      from=$here
    elif [ -n "$release_url" ]; then
      from=$release_url
    elif [ -n "$here" ] && [ -f "$here/dist/madmail" ]; then
      binary=$here/dist/madmail
    else
      fail "where is the release? Name it with --from, or your own build with --binary"
    fi
  fi
  from=${from#file://}
  from=${from%/}
}

# Prints linux-x64, linux-arm64-musl, darwin-arm64 …
detect_platform() {
  case $(uname -s) in
    Linux) system=linux ;;
    Darwin) system=darwin ;;
    *) fail "no release for $(uname -s)" ;;
  esac
  case $(uname -m) in
    x86_64 | amd64) cpu=x64 ;;
    aarch64 | arm64) cpu=arm64 ;;
    *) fail "no release for $(uname -m)" ;;
  esac
  libc=''
  if [ "$system" = linux ]; then
    # Systems with musl have its loader at this place, and no other.
    for loader in /lib/ld-musl-*; do
      if [ -e "$loader" ] && ! have_glibc; then libc=-musl; fi
    done
  fi
  say "$system-$cpu$libc"
}

have_glibc() {
  for loader in /lib/ld-linux* /lib64/ld-linux* /lib/*/ld-linux*; do
    if [ -e "$loader" ]; then return 0; fi
  done
  return 1
}

needs() {
  case ${platform:-} in
    *-musl) say "libstdc++ (Alpine: apk add libstdc++)" ;;
    linux-*) say "glibc 2.17 or newer" ;;
    *) say "another build" ;;
  esac
}

# Sets $binary to the checked executable below $work.
take_release() {
  have openssl || fail "openssl is needed to check the signature; install it and try again"
  fetch SHA256SUMS
  fetch SHA256SUMS.sig
  public_key
  # -rawin came with OpenSSL 3; LibreSSL and 1.1.1 can't check this kind of signature.
  openssl pkeyutl -help 2>&1 | grep -q -e -rawin || fail "$(openssl version) can't check Ed25519; OpenSSL 3 can"
  openssl pkeyutl -verify -pubin -inkey "$work/key.pem" -rawin -in "$work/SHA256SUMS" \
    -sigfile "$work/SHA256SUMS.sig" >/dev/null 2>&1 ||
    fail "INVALID SIGNATURE: SHA256SUMS was not made by the owner of the release key; nothing was installed"
  pattern="^[0-9a-f]\{64\}  madmail-${version:-[0-9][^ ]*}-$platform\.tar\.gz\$"
  line=$(grep -e "$pattern" "$work/SHA256SUMS" || true)
  [ -n "$line" ] || fail "$from has no release ${version:+$version }for $platform"
  [ "$(printf '%s\n' "$line" | wc -l)" -eq 1 ] || fail "$from has several versions; choose one with --version"
  sum=${line%% *}
  file=${line##* }
  fetch "$file"
  [ "$(sha256 "$work/$file")" = "$sum" ] || fail "$file: wrong checksum; nothing was installed"
  say "$file: signature and checksum are right"
  tar -xzf "$work/$file" -C "$work"
  rm -f "$work/$file"
  binary=$work/${file%.tar.gz}/madmail
}

# Writes the key to $work/key.pem: the one given, or the one inside this script.
public_key() {
  if [ -n "$key_file" ]; then
    cp "$key_file" "$work/key.pem" || fail "$key_file can't be read"
    return
  fi
  [ -n "$release_key" ] || fail "this copy of install.sh knows no release key; name it with --public-key"
  # 32 bytes behind the fixed head of an Ed25519 key (RFC 8410).
  printf -- '-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA%s\n-----END PUBLIC KEY-----\n' "$release_key" >"$work/key.pem"
}

fetch() {
  case $from in
    http://* | https://*)
      if have curl; then
        curl -fsSL --retry 3 -o "$work/$1" "$from/$1" || fail "$from/$1 can't be fetched"
      elif have wget; then
        wget -q -O "$work/$1" "$from/$1" || fail "$from/$1 can't be fetched"
      else
        fail "curl or wget is needed to fetch $from/$1"
      fi
      ;;
    *) cp "$from/$1" "$work/$1" || fail "$from/$1 can't be read" ;;
  esac
}

sha256() {
  if have sha256sum; then
    sha256sum "$1" | cut -d ' ' -f 1
  elif have shasum; then
    shasum -a 256 "$1" | cut -d ' ' -f 1
  else
    openssl dgst -sha256 -r "$1" | cut -d ' ' -f 1
  fi
}

uninstall() {
  [ -e "$target" ] || [ -e "$root/opt/$name" ] || {
    say "$name is not installed below ${root:-/}."
    return 0
  }
  if [ -x "$target" ] && "$target" version >/dev/null 2>&1; then
    # shellcheck disable=SC2086 # empty or one word
    "$target" uninstall --yes --name "$name" --root "${root:-/}" $purge
    return
  fi
  [ -z "$purge" ] || fail "$target does not run, so it can't clean up; remove configuration and state by hand"
  rm -f "$target"
  rm -rf "$root/opt/${name:?}"
  say "Removed $target and $root/opt/$name, which did not run. Look for a service called $name yourself."
}

main "$@"
