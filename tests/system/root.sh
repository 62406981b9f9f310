#!/bin/sh
# Usage: root.sh SUITE
# Prints where a whole Debian lies that machine.py can boot, and makes it first if it is not there: two or
# three minutes. It is kept below the user's cache directory, named after what it is made from, and never
# written to again; remove it to have newer packages. Needs root.
#
# It has what dnsguard depends on, but neither dnsmasq nor resolvconf, nor any other owner of the network's servers, nor
# who reads its metrics, nor what manages configurations: those, and what they need beyond it, are .deb files in ../debs,
# and inside, in the same files, an apt repository that asks no network.
set -eu

suite=$1
packaging=$(dirname "$(realpath "$0")")/../../packaging

packages="systemd systemd-sysv dbus udev init-system-helpers adduser iproute2 ifupdown procps netbase e2fsprogs
	python3 python3-dnspython python3-pyinotify python3-structlog python3-systemd"
offered="dnsmasq resolvconf"
# Fetched one by one, because some exclude each other, and without what they only recommend.
owners="network-manager systemd-resolved openresolv isc-dhcp-client dhcpcd-base"
readers="prometheus prometheus-node-exporter"
# Ansible's apt module asks python3-apt.
tools="ansible-core puppet-agent python3-apt"

digest=$(printf '%s\n' "$packages" | cat - "$0" "$packaging/new-root.sh" | sha256sum | cut -c1-12)
image=${XDG_CACHE_HOME:-$HOME/.cache}/dnsguard/system-$suite-$digest
mkdir -p "$(dirname "$image")"
# Where two want it at once, one makes it and the other waits.
exec 9>"$image.lock"
flock 9
if [ -d "$image" ]; then
	echo "$image/root"
	exit
fi
work=$(mktemp -d "$image.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
root=$work/root
mkdir "$work/debs" "$work/machine"

"$packaging/new-root.sh" "$root" "$suite" "$packages" \
	--customize-hook='rm "$1"/var/cache/apt/archives/*.deb' \
	--customize-hook="APT_CONFIG=\$MMDEBSTRAP_APT_CONFIG apt-get --quiet --yes --download-only \
		-o APT::Install-Recommends=true install $offered >&2" \
	--customize-hook="for one in $owners $readers $tools; do \
		APT_CONFIG=\$MMDEBSTRAP_APT_CONFIG apt-get --quiet --yes --download-only \
		-o APT::Install-Recommends=false install \$one >&2 || exit 1; done" \
	--customize-hook="mv \"\$1\"/var/cache/apt/archives/*.deb '$work/debs/'"
chmod 755 "$work"
# What held while it was made does not hold inside.
rm -f "$root/etc/apt/apt.conf.d/99mmdebstrap" "$root/etc/dpkg/dpkg.cfg.d/99mmdebstrap"

# An apt repository of the suite's packages, without a tool that this machine may lack.
mkdir "$root/srv/debs"
cp --link "$work"/debs/*.deb "$root/srv/debs/"
for deb in "$root"/srv/debs/*.deb; do
	dpkg-deb --field "$deb"
	printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "${deb##*/}" "$(stat -c %s "$deb")" \
		"$(sha256sum "$deb" | cut -d' ' -f1)"
done >"$root/srv/debs/Packages"
rm -rf "$root"/etc/apt/sources.list.d/* "$root"/var/lib/apt/lists/*
echo "deb [trusted=yes] file:/srv/debs ./" >"$root/etc/apt/sources.list"
chroot "$root" apt-get --quiet=2 update >&2

# A host that has been up before: a first boot would enable all that Debian's presets name.
tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
echo guest >"$root/etc/hostname"
printf '127.0.0.1 localhost\n127.0.1.1 guest\n' >"$root/etc/hosts"
: >"$root/etc/fstab"
# They would hold dpkg's lock at a time of their choice.
for timer in apt-daily apt-daily-upgrade dpkg-db-backup; do
	ln -sf /dev/null "$root/etc/systemd/system/$timer.timer"
done

# The plain host: as cloud images are.
cat >"$root/etc/network/interfaces" <<END
auto lo eth0
iface lo inet loopback
iface eth0 inet static
	address 192.0.2.2/24
	gateway 192.0.2.1
END
rm -f "$root/etc/resolv.conf"
echo "nameserver 192.0.2.53" >"$root/etc/resolv.conf"

mv -T "$work" "$image"
echo "$image/root"
