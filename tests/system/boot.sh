#!/bin/sh
# Usage: boot.sh ROOT
# Becomes the machine whose root is mounted there. Runs as the first process of fresh mount, PID, UTS and IPC
# namespaces, in network and cgroup namespaces that power.sh has made.
#
# What belongs to the computer below stays out of reach: its devices, its sysctls and what /sys can do are
# read-only or absent (so that systemd sets no sysctl and starts no udevd), its clock and modules are not ours.
set -eu

cd "$1"
mount -t tmpfs -o mode=0755 dev dev
for device in full null random tty urandom zero; do
	: >"dev/$device"
	mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts dev/pts
mount -t tmpfs -o mode=1777,nosuid,nodev shm dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr

mount -t proc -o nosuid,nodev,noexec proc proc
for file in proc/sys proc/sysrq-trigger; do
	# Not every kernel has the latter.
	[ -e "$file" ] || continue
	mount --bind "$file" "$file"
	mount -o remount,bind,ro "$file"
done
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs sys
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup
echo 0 >sys/fs/cgroup/cgroup.procs
mount -t tmpfs -o mode=0755,nosuid,nodev run run
mount -t tmpfs -o mode=1777,nosuid,nodev tmp tmp
# The journal tells boots apart by it, and the computer below was not booted.
cat proc/sys/kernel/random/uuid >run/boot-id
mount --bind run/boot-id proc/sys/kernel/random/boot_id
mount -o remount,bind,ro proc/sys/kernel/random/boot_id

pivot_root . .
umount -l .
cd /
echo on
exec env -i container=lxc PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
	setpriv --bounding-set -sys_time,-sys_module,-sys_rawio,-syslog,-wake_alarm \
	/lib/systemd/systemd --log-target=journal >/dev/null 2>&1 </dev/null
