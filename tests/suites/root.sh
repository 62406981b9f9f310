#!/bin/sh
# Usage: root.sh SUITE
# Prints where the root of a Debian suite lies, and makes it first if it is not there: two minutes.
# It is kept below the user's cache directory, named after what it is made from, and never written to
# again; remove it to have newer packages. Needs root.
set -eu

suite=$1
room=$(dirname "$(realpath "$0")")
checkout=$(realpath "$room/../..")

# What the daemon imports, what its tests run, and what makes namespaces. resolvconf and dnsmasq proper
# are not installed: tests/sandbox unpacks them, as everywhere.
packages="python3 python3-dnspython python3-pyinotify python3-structlog python3-systemd
	python3-pytest python3-pytest-timeout python3-hypothesis
	dnsmasq-base systemd bash e2fsprogs iproute2 procps util-linux util-linux-extra"

digest=$(printf '%s\n' "$packages" | cat - "$room/../sandbox/fetch.sh" | sha256sum | cut -c1-12)
root=${XDG_CACHE_HOME:-$HOME/.cache}/dnsguard/root-$suite-$digest
if [ -d "$root" ]; then
	echo "$root"
	exit
fi
mkdir -p "$(dirname "$root")"
work=$(mktemp -d "$root.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
"$checkout/packaging/new-root.sh" "$work/root" "$suite" "$packages" \
	--customize-hook="tar -C '$checkout' -c tests/sandbox | tar -C \"\$1/tmp\" -x" \
	--customize-hook='chroot "$1" env -C /tmp HOME=/root PYTHONDONTWRITEBYTECODE=1 \
		python3 -c "from tests.sandbox.namespaces import fetch; fetch().with_name(\"root\").mkdir()" >&2' \
	--customize-hook='rm -r "$1/tmp/tests"'
# journald does not start without one.
tr -d - </proc/sys/kernel/random/uuid >"$work/root/etc/machine-id"
# Whoever comes first wins.
mv -T "$work/root" "$root" 2>/dev/null || [ -d "$root" ]
echo "$root"
