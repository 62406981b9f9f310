#!/bin/sh
# Usage: reproducible.sh [--worktree]
# Builds the package twice, under another path, time zone and umask, and fails if a single byte differs.
set -eu

room=$(dirname "$(realpath "$0")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

(
	umask 022
	TZ=UTC "$room/build.sh" "$@" --into "$work/first"
)
(
	umask 027
	TZ=Pacific/Kiritimati "$room/build.sh" "$@" --into "$work/second" --under /tmp/another/place
)
cd "$work"
for package in first/*.deb; do
	cmp "$package" "second/$(basename "$package")"
done
sha256sum first/*.deb
echo "reproducible.sh: both are the same" >&2
