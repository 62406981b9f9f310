#!/bin/sh
# Usage: power.sh PLACE NUMBER
# Switches the machine on whose world.sh has prepared PLACE. Runs in the world's mount, network and PID
# namespaces; "on" is said when nothing but systemd is left to start. NUMBER is another one each time.
set -eu

room=$(dirname "$(realpath "$0")")
place=$1
cable=cable$2
# An old cgroup tree may take no new processes. In `door` are those who are not the machine's own: systemd can
# only hand out controllers if its root has no other process.
cgroup=$place/ours/boot-$2
mkdir "$cgroup" "$cgroup/door"
echo 0 >"$cgroup/cgroup.procs"

# shellcheck disable=SC2016 # expanded by the inner shells
exec unshare --net --cgroup sh -euc '
	echo 0 >"$3/cgroup.procs"
	ip link add eth0 type veth peer name "$1" netns 1
	nsenter --target 1 --net sh -euc "ip link set \$0 up && ip route replace 192.0.2.0/24 dev \$0 src 192.0.2.1" "$1"
	exec unshare --mount --pid --uts --ipc --fork sh "$0" "$2"' \
	"$room/boot.sh" "$cable" "$place/root" "$cgroup/door"
