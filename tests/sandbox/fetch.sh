#!/bin/sh
# Unpacks resolvconf and dnsmasq, and whatever of their company this machine lacks, below
# the directory $1. Nothing is installed, and no root is needed.
set -eu

store=$1
wanted="resolvconf dnsmasq dnsmasq-base iproute2 python3"
guard_needs="python3-dnspython python3-pyinotify python3-structlog python3-systemd"

mkdir -p "$(dirname "$store")"
work=$(mktemp -d "$store.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/debs" "$work/tree"

# What apt would install tells what is missing here.
# shellcheck disable=SC2086 # lists of words on purpose
missing=$(apt-get install --simulate --no-install-recommends $wanted $guard_needs |
	sed -n 's/^Inst \([^ ]*\) .*/\1/p')
(
	cd "$work/debs"
	# shellcheck disable=SC2086 # a list of words on purpose
	apt-get download --quiet $(printf '%s\n' resolvconf dnsmasq $missing | sort -u)
)
for deb in "$work"/debs/*.deb; do
	dpkg --extract "$deb" "$work/tree"
done

# This tree will lie over a merged /usr.
for name in bin lib lib64 sbin; do
	if [ -d "$work/tree/$name" ]; then
		mkdir -p "$work/tree/usr/$name"
		cp -a "$work/tree/$name/." "$work/tree/usr/$name/"
		rm -r "${work:?}/tree/$name"
	fi
done
mkdir -p "$work/tree/etc" "$work/tree/usr"
# Whoever comes first wins; mv -T does not move into an existing directory that is not empty.
mv -T "$work/tree" "$store" 2>/dev/null || [ -d "$store" ]
