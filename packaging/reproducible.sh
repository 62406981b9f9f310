#!/bin/sh
# Usage: reproducible.sh [DIRECTORY]
# Builds what build.sh has put into DIRECTORY, or into dist/, once more from the same source, under another path, time
# zone and umask, and fails if a single byte differs.
set -eu

room=$(dirname "$(realpath "$0")")
built=$(realpath "${1:-$room/../dist}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

(
	umask 027
	TZ=Pacific/Kiritimati "$room/build.sh" --source "$built/source.tar" --into "$work" --under /tmp/another/place
)
for package in "$work"/*.deb; do
	cmp "$package" "$built/$(basename "$package")"
	sha256sum "$built/$(basename "$package")"
done
echo "reproducible.sh: both are the same" >&2
