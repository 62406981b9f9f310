#!/bin/sh
# Usage: install.sh PYTHON3 VENV
# Makes a virtual environment that sees Debian's python3-* packages, with the tools in it.
# As root what is missing is installed; as anybody else it is named.
set -eu
python3=$1
venv=$2
packages="ca-certificates dnsmasq-base iproute2 procps util-linux
	python3 python3-venv python3-pip python3-dnspython python3-pyinotify python3-structlog python3-systemd"
# For the booted machines, which only root can make: here, because two tests may want it at the same moment. And zsh, which
# a test of the completions does without where it is missing.
[ "$(id -u)" != 0 ] || packages="$packages mmdebstrap zsh"

missing=""
for package in $packages; do
	dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' || missing="$missing $package"
done
if [ -n "$missing" ]; then
	if [ "$(id -u)" != 0 ]; then
		echo "install.sh: please ask root for: apt-get install --no-install-recommends$missing" >&2
		exit 1
	fi
	echo "installing$missing"
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq
	# dnsmasq-base is the program alone: it starts nothing and does not touch this machine's DNS.
	# shellcheck disable=SC2086
	apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

echo "making $venv"
"$python3" -m venv --clear --system-site-packages "$venv"
# The newest tools that were tried; dnsguard itself needs none of them.
"$venv/bin/pip" install --quiet --disable-pip-version-check \
	'ruff==0.17.6' 'mypy==2.4.1' 'pytest==9.2.0' 'pytest-timeout>=2.3' 'pytest-xdist>=3.6' 'hypothesis>=6.100'
