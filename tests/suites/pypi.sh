#!/bin/sh
# Usage: pypi.sh WORD FOR pytest...
# Runs tests with dnsguard and what it asks for as PyPI has it today, pyinotify bare of the asyncore that
# Python 3.12 dropped, in a virtual environment that is made for it and thrown away. PYTHON3 says which
# Python; without it the newest in PATH. As root, what compiling systemd-python needs is installed.
set -eu

checkout=$(realpath "$(dirname "$0")/../..")

newest() {
	for minor in 15 14 13 12 11; do
		# Some are only a name of a program that is not there.
		if "python3.$minor" -c 'import ensurepip, venv' 2>/dev/null; then
			echo "python3.$minor"
			return
		fi
	done
	echo python3
}
python3=${PYTHON3:-$(newest)}

if ! { pkg-config --exists libsystemd && command -v gcc >/dev/null; } 2>/dev/null; then
	echo "pypi.sh: installing gcc, pkg-config and libsystemd-dev" >&2
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
		gcc libc6-dev pkg-config libsystemd-dev python3-dev >/dev/null
fi

venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
trap 'exit 130' INT TERM
"$python3" -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check "$checkout" pytest pytest-timeout hypothesis
"$venv/bin/python" --version
"$venv/bin/pip" list --disable-pip-version-check | grep -Ei '^(dnspython|structlog|pyinotify|systemd-python|pytest) '
# What was installed starts on its own, away from the checkout.
(cd / && "$venv/bin/dnsguard" --help >/dev/null)
cd "$checkout"
"$venv/bin/python" -m pytest -p no:cacheprovider "$@"
