#!/bin/sh
# Usage: root.sh build|lint
# Prints where a Debian 13 root lies, with what building the package needs ("build": the Build-Depends
# of debian/control and nothing else) or what looking at it needs ("lint"). Makes it first if it is not
# there: two minutes. It is kept below the user's cache directory, named after what it is made from, and
# never written to again; remove it to have newer packages. Needs root.
set -eu

kind=$1
room=$(dirname "$(realpath "$0")")
suite=trixie

case $kind in
build) packages="build-essential" ;;
# systemd and apparmor for their own checkers; python3 and its modules so that the package installs there.
lint) packages="lintian mandoc shellcheck systemd apparmor python3 python3-dnspython python3-pyinotify
	python3-structlog python3-systemd dnsmasq-base" ;;
*)
	echo "root.sh: build or lint, not $kind" >&2
	exit 2
	;;
esac

digest=$(printf '%s\n' "$packages" | cat - "$room"/*root.sh "$room/debian/control" | sha256sum | cut -c1-12)
root=${XDG_CACHE_HOME:-$HOME/.cache}/dnsguard/$kind-$suite-$digest
mkdir -p "$(dirname "$root")"
# Where two want it at once, one makes it and the other waits.
exec 9>"$root.lock"
flock 9
if [ -d "$root" ]; then
	echo "$root"
	exit
fi
work=$(mktemp -d "$root.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
set --
if [ "$kind" = build ]; then
	set -- --customize-hook="mkdir -p \"\$1/tmp/source\" && cp -r '$room/debian' \"\$1/tmp/source/\"" \
		--customize-hook='chroot "$1" env -C /tmp/source DEBIAN_FRONTEND=noninteractive \
			apt-get build-dep -y -qq --no-install-recommends ./ >/dev/null' \
		--customize-hook='rm -r "$1/tmp/source"'
fi
"$room/new-root.sh" "$work/root" "$suite" "$packages" "$@"
mv -T "$work/root" "$root"
echo "$root"
