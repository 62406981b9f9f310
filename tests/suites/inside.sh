#!/bin/sh
# Usage: inside.sh ROOT CHECKOUT COMMAND [WORD]...
# Becomes that root, runs a command in the checkout, and ends with its status. Runs as the first process
# of fresh mount, network, PID, IPC, UTS and cgroup namespaces. Root and checkout are read-only; what the
# command writes goes to tmpfs and ends with it. There is no network but lo.
set -eu

root=$1
checkout=$2
shift 2

mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
cd "$root"
for directory in run tmp var/tmp var/log; do
	mount -t tmpfs -o mode=1777 tmpfs "$directory"
done
chmod 755 run var/log
mount --rbind /dev dev
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
# journald 257 does not start without one.
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount --bind "$checkout" srv
mount -o remount,bind,ro srv
hostname suite
ip link set lo up

# Not chroot alone: whoever is in one may not make user namespaces.
pivot_root . .
umount -l .
cd /srv
# Not exec: the first process must stay, to reap orphans.
env -i HOME=/root LANG=C.UTF-8 TERM="${TERM:-dumb}" \
	PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
	PYTHONDONTWRITEBYTECODE=1 HYPOTHESIS_STORAGE_DIRECTORY=/tmp/hypothesis "$@"
