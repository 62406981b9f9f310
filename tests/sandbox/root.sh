#!/bin/sh
# Builds the private host and becomes it. Runs as root, or as root of a user namespace, in
# fresh mount, network and PID namespaces, which stay behind as "the rest of the network".
#
#     root.sh ROOT UNPACKED [DIRECTORY TO BIND]...
#
# One way for both kinds of root: an overlay with an upper layer is not for user
# namespaces, so /usr is a read-only overlay and everything else lives on a tmpfs.
# Standard input is the lifeline: at its end the host ends, and with it all its processes.
set -eu

root=$1
unpacked=$2
shift 2

mount -t tmpfs -o mode=0755 sandbox "$root"
cd "$root"
mkdir -p dev etc home proc root run sys tmp usr var/cache var/lib/misc var/log var/tmp
chmod 1777 tmp var/tmp
ln -s ../run var/run
for name in bin lib lib32 lib64 libx32 sbin; do
	if [ -L "/$name" ]; then cp -P "/$name" .; fi
done
(cd "$unpacked" && mount -t overlay -o ro,lowerdir=usr:/usr overlay "$root/usr")
mount --rbind /dev dev
# For those beyond: ip (iproute2 6.15) looks in there for a network namespace that is named by a process.
mount --rbind /proc proc
mount -t tmpfs -o mode=0755 run run

# Of this machine's /etc only what makes programs run: no resolver, no daemon of its own.
for name in alternatives debian_version group ld.so.cache ld.so.conf ld.so.conf.d localtime \
	passwd protocols services; do
	if [ -e "/etc/$name" ]; then cp -r --preserve=links,mode -P "/etc/$name" etc/; fi
done
cp -r --preserve=links,mode "$unpacked/etc/." etc/
echo 'hosts: files dns' >etc/nsswitch.conf
printf '127.0.0.1 localhost\n127.0.1.1 guarded\n' >etc/hosts
grep -q ^dnsmasq: etc/passwd || echo 'dnsmasq:x:973:65534::/var/lib/misc:/usr/sbin/nologin' >>etc/passwd
# dnsmasq would change its group, to any that it finds, which a user namespace may forbid.
if [ "$(cat /proc/self/setgroups)" = deny ]; then : >etc/group; fi

for directory; do
	mkdir -p "$root$directory"
	mount --rbind "$directory" "$root$directory"
done

# This shell stays, on the upstreams' side of the cable.
ip link set lo up
unshare --mount --net --pid --uts --fork --kill-child sh -euc '
	cd "$1"
	mount -t proc proc proc
	pivot_root . .
	umount -l .
	hostname guarded
	ip link set lo up
	# The kernel reaps orphans for an init that ignores SIGCHLD, and cat is all the init we need.
	echo ready
	exec env --ignore-signal=CHLD cat
' init "$root"
