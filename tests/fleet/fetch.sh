#!/bin/sh
# Unpacks Prometheus' promtool below the directory $1: of Debian's packages the program alone. Nothing is installed or
# started, and no root is needed.
set -eu

store=$1

mkdir -p "$(dirname "$store")"
work=$(mktemp -d "$store.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
cd "$work"
# A package of its own from Debian 13 on.
apt-get download --quiet promtool >&2 2>/dev/null || apt-get download --quiet prometheus >&2
dpkg --fsys-tarfile ./*.deb | tar --extract ./usr/bin/promtool
mkdir tree
mv usr/bin/promtool tree/
# Whoever comes first wins; mv -T does not move into an existing directory that is not empty.
mv -T tree "$store" 2>/dev/null || [ -d "$store" ]
