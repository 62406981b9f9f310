#!/bin/sh
# Usage: inside.sh ROOT PLACE PATH COMMAND [WORD]...
# Becomes that root, where PLACE is writable as PATH, runs a command there, and ends with its status. Runs
# as the first process of fresh mount, network, PID, IPC and UTS namespaces. The root is read-only; what
# else is written goes to tmpfs and ends with it. There is no network but lo.
set -eu

root=$1
place=$2
path=$3
shift 3

mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
cd "$root"
for directory in run tmp var/tmp mnt; do
	mount -t tmpfs -o mode=1777 tmpfs "$directory"
done
chmod 755 run mnt
mount --rbind /dev dev
mount -t proc proc proc
mkdir -p ".$path"
mount --bind "$place" ".$path"
hostname builder
ip link set lo up

pivot_root . .
umount -l .
cd "$path"
# Not exec: the first process must stay, to reap orphans.
env -i HOME=/tmp LANG=C.UTF-8 TERM="${TERM:-dumb}" TZ="${TZ:-UTC}" \
	PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
