#!/bin/sh
# Usage: sources.sh SUITE
# Prints the lines of a sources.list for a Debian suite, from where this machine has its own packages.
set -eu

suite=$1
codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' | sort -u |
	while read -r release uri; do
		case $release in
		"$codename") echo "deb $uri $suite main" ;;
		"$codename"-*) [ "$suite" = sid ] || echo "deb $uri $suite-${release#*-} main" ;;
		esac
	done
