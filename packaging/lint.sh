#!/bin/sh
# Usage: lint.sh [PACKAGE]
# Looks at the built package with Debian 13's eyes: lintian at its most pedantic, mandoc at the manual pages,
# systemd at the units and how exposed they are, AppArmor's parser at the rule for resolv.conf, and the
# shell at our scripts. Without PACKAGE: the one in dist/.
set -eu

room=$(dirname "$(realpath "$0")")
checkout=$(realpath "$room/..")
if [ $# = 0 ]; then
	set -- "$checkout"/dist/dnsguard_*_all.deb
fi
root=$("$room/root.sh" lint)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
cp "$1" "$work/dnsguard.deb"
cp "$room/look.sh" "$work/"
# Not into the root, which stays as it is: over it.
unshare --mount --net --pid --ipc --uts --fork --kill-child \
	"$room/inside.sh" "$root" "$work" /mnt/dnsguard sh look.sh
