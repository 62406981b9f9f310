#!/bin/sh
# Usage: world.sh PLACE LAYER...
# Makes what surrounds a machine, and takes it away again. Runs as root in a fresh mount namespace; PLACE is an
# empty directory, the LAYERs, topmost first, make up the machine's root and are never written to.
#
# Standard input is the lifeline: at its end, or when whoever held it is killed, every process in here ends,
# the machine's too, and what they have left in the machine's cgroup tree is removed. All else is gone with them:
# no network namespace has a name, and no mount is seen outside.
set -eu

place=$1
shift

mount -t tmpfs -o mode=0755 machine "$place"
cd "$place"
mkdir cgroup upper work root
# Hybrid hosts have it elsewhere, and some have it nowhere.
mount -t cgroup2 cgroup2 cgroup
# By short names, because newer ones of mount(8) take no more than 255 characters.
names=
for layer; do
	name=layer$#
	ln -s "$layer" "$name"
	names=$names${names:+:}$name
	shift
done
mount -t overlay -o "lowerdir=$names,upperdir=upper,workdir=work" machine root

# systemd takes the root of its cgroup namespace for its own: each machine needs one of its own.
cgroup=$(mktemp -d cgroup/dnsguard-XXXXXX)
ln -s "$cgroup" ours
clean() {
	# Those who came in from outside may need a moment to notice that all is over.
	for _ in 1 2 3 4 5 6 7 8 9; do
		if find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null; then return; fi
		sleep 0.1
	done
	find "$cgroup" -depth -type d -exec rmdir {} +
}
trap clean EXIT

# The kernel reaps orphans for an init that ignores SIGCHLD, and cat is all the init we need. The upstreams'
# addresses are on lo: so they stay when the machine's end of the cable goes, and takes the other with it.
unshare --mount-proc --net --pid --fork --kill-child sh -euc '
	ip link set lo up
	ip address add 192.0.2.1/32 dev lo
	echo ready
	exec env --ignore-signal=CHLD cat'
