#!/bin/sh
# Installs the madmail executable that lies beside this script (or in dist/), or removes it again.
#   sh install.sh [--prefix DIR] [--uninstall]
# It touches nothing but DIR/bin/madmail (default prefix: /usr/local). State and configuration stay.
set -eu

prefix=/usr/local
action=install
while [ $# -gt 0 ]; do
  case $1 in
    --prefix) prefix=${2:?--prefix needs a directory}; shift 2 ;;
    --uninstall) action=uninstall; shift ;;
    -h | --help) sed -n '2,4s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "install.sh: unknown option $1" >&2; exit 2 ;;
  esac
done

target=$prefix/bin/madmail
if [ "$action" = uninstall ]; then
  rm -f "$target"
  echo "Removed $target. State and configuration were left alone."
  exit 0
fi

here=$(cd "$(dirname "$0")" && pwd)
for candidate in "$here/madmail" "$here/dist/madmail"; do
  [ -x "$candidate" ] && binary=$candidate && break
done
if [ -z "${binary:-}" ]; then
  echo "install.sh: no madmail executable beside this script or in dist/; build one with: npm ci && npm run build" >&2
  exit 1
fi

"$binary" version >/dev/null || { echo "install.sh: $binary does not run on this machine" >&2; exit 1; }
mkdir -p "$prefix/bin"
# Copy beside the target, then rename: a running relay keeps its old file until it is restarted.
cp "$binary" "$target.new"
chmod 755 "$target.new"
mv -f "$target.new" "$target"
echo "Installed $("$target" version) as $target"
echo "Next: madmail config sample > /etc/madmail/madmail.toml, edit it, then: madmail run"
