#!/bin/sh
# Usage: run.sh SUITE [WORD FOR pytest]...
# Runs the tests as on another Debian ("trixie", "sid": that suite's Python, libraries, dnsmasq and
# resolvconf, in a root of its own), or with the newest that PyPI has ("pypi"). Without words for pytest:
# all that can tell one from the other, which the long exploration of the core cannot.
set -eu

room=$(dirname "$(realpath "$0")")
checkout=$(realpath "$room/../..")
suite=$1
shift
if [ $# = 0 ]; then
	set -- --ignore=tests/core/test_exploration.py --ignore=tests/system tests
	[ "$suite" != pypi ] || set -- --ignore=tests/sandbox "$@"
fi
if [ "$suite" = pypi ]; then
	exec "$room/pypi.sh" "$@"
fi

root=$("$room/root.sh" "$suite")
dpkg-query --admindir="$root/var/lib/dpkg" --show \
	python3 python3-dnspython python3-pyinotify python3-structlog python3-systemd dnsmasq-base systemd
exec unshare --mount --net --pid --ipc --uts --cgroup --fork --kill-child \
	"$room/inside.sh" "$root" "$checkout" python3 -m pytest -p no:cacheprovider "$@"
