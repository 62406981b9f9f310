#!/bin/sh
# Usage: root.sh build|lint
# Prints where a Debian 13 root lies, with what building the package needs ("build": the Build-Depends
# of debian/control and nothing else) or what looking at it needs ("lint"). Makes it first if it is not
# there: two minutes. It is kept below the user's cache directory, named after what it is made from, and
# never written to again; remove it to have newer packages. Needs root, and mmdebstrap, which is
# installed if missing.
set -eu

kind=$1
room=$(dirname "$(realpath "$0")")
suite=trixie

case $kind in
build) packages="build-essential" ;;
# systemd and apparmor for their own checkers; python3 and its modules so that the package installs there.
lint) packages="lintian mandoc systemd apparmor python3 python3-dnspython python3-pyinotify
	python3-structlog python3-systemd dnsmasq-base" ;;
*)
	echo "root.sh: build or lint, not $kind" >&2
	exit 2
	;;
esac

digest=$(printf '%s\n' "$packages" | cat - "$room/root.sh" "$room/debian/control" | sha256sum | cut -c1-12)
root=${XDG_CACHE_HOME:-$HOME/.cache}/dnsguard/$kind-$suite-$digest
if [ -d "$root" ]; then
	echo "$root"
	exit
fi
if [ "$(id -u)" != 0 ]; then
	echo "root.sh: only root can make $root" >&2
	exit 1
fi
if ! command -v mmdebstrap >/dev/null; then
	echo "root.sh: installing mmdebstrap" >&2
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mmdebstrap >/dev/null
fi

# From where this machine has its own packages, and by the same rules for fetching.
codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
sources() {
	apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' | sort -u |
		while read -r release uri; do
			case $release in
			"$codename") echo "deb $uri $suite main" ;;
			"$codename"-*) echo "deb $uri $suite-${release#*-} main" ;;
			esac
		done
}

mkdir -p "$(dirname "$root")"
work=$(mktemp -d "$root.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
apt-config dump --no-empty --format '%F "%v";%n' Acquire | grep -v IndexTargets >"$work/apt.conf"
mkdir "$work/root"
set --
if [ "$kind" = build ]; then
	set -- --customize-hook="mkdir -p \"\$1/tmp/source\" && cp -r '$room/debian' \"\$1/tmp/source/\"" \
		--customize-hook='chroot "$1" env -C /tmp/source DEBIAN_FRONTEND=noninteractive \
			apt-get build-dep -y -qq --no-install-recommends ./ >&2' \
		--customize-hook='rm -r "$1/tmp/source"'
fi
echo "root.sh: making $root" >&2
# shellcheck disable=SC2086 # the list becomes one line, on purpose
sources | mmdebstrap --quiet --variant=minbase --format=directory \
	--include="$(echo $packages | tr ' ' ,)" \
	--aptopt="$work/apt.conf" --dpkgopt=force-unsafe-io \
	--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
	--dpkgopt='path-exclude=/usr/share/locale/*' "$@" \
	"$suite" "$work/root" - >&2
chmod 755 "$work/root"
echo "# This host asks nobody." >"$work/root/etc/resolv.conf"
# Whoever comes first wins.
mv -T "$work/root" "$root" 2>/dev/null || [ -d "$root" ]
echo "$root"
