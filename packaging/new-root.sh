#!/bin/sh
# Usage: new-root.sh PLACE SUITE "PACKAGE..." [OPTION FOR mmdebstrap]...
# Unpacks a Debian root into PLACE, from where this machine has its own packages, and by the same rules for
# fetching. What nobody reads in a root (documents, translations) is left out. Needs root, and mmdebstrap, which
# is installed if missing. The three root.sh of this checkout keep what this makes in the user's cache directory.
set -eu

place=$1
suite=$2
packages=$3
shift 3

if [ "$(id -u)" != 0 ]; then
	echo "new-root.sh: only root can make $place" >&2
	exit 1
fi
if ! command -v mmdebstrap >/dev/null; then
	echo "new-root.sh: installing mmdebstrap" >&2
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mmdebstrap >/dev/null
fi

codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
sources() {
	apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' | sort -u |
		while read -r release uri; do
			case $release in
			"$codename") echo "deb $uri $suite main" ;;
			"$codename"-*) [ "$suite" = sid ] || echo "deb $uri $suite-${release#*-} main" ;;
			esac
		done
}

rules=$(mktemp)
trap 'rm -f "$rules"' EXIT
trap 'exit 130' INT TERM
apt-config dump --no-empty --format '%F "%v";%n' Acquire | grep -v IndexTargets >"$rules"
mkdir -p "$place"
echo "new-root.sh: making $place" >&2
# shellcheck disable=SC2086 # the list becomes one line, on purpose
sources | mmdebstrap --quiet --variant=minbase --format=directory --include="$(echo $packages | tr ' ' ,)" \
	--aptopt="$rules" --dpkgopt=force-unsafe-io \
	--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
	--dpkgopt='path-exclude=/usr/share/locale/*' "$@" "$suite" "$place" - >&2
chmod 755 "$place"
echo "# This host asks nobody." >"$place/etc/resolv.conf"
