#!/bin/sh
# Run by lint.sh in a Debian 13 root that has the checkers; looks at ./dnsguard.deb, and fails if one of them
# finds something.
set -eu

most_exposed=1.8

say() {
	echo "lint.sh: $*" >&2
}

mkdir tree
dpkg --extract dnsguard.deb tree
status=0

say lintian
lintian --allow-root -EvIL +pedantic --fail-on error,warning,info,pedantic,experimental dnsguard.deb || status=1

say manual pages
for page in tree/usr/share/man/man*/*.gz; do
	gunzip --stdout "$page" >"$(basename "$page" .gz)"
	mandoc -T lint -W warning "$(basename "$page" .gz)" || status=1
done

say shell scripts
dpkg --control dnsguard.deb control
for script in control/postinst control/postrm control/prerm tree/usr/libexec/dnsguard/* tree/etc/resolvconf/update.d/*; do
	case $(head -n 1 "$script") in
	'#!/bin/sh'*) sh -n "$script" || status=1 ;;
	esac
done

say units
# As installed: systemd looks for the programs, and for the users.
mkdir upper work
mount -t tmpfs tmpfs upper
mkdir upper/usr upper/work upper/etc upper/etc-work
mount -t overlay overlay -o lowerdir=/usr,upperdir=upper/usr,workdir=upper/work /usr
mount -t overlay overlay -o lowerdir=/etc,upperdir=upper/etc,workdir=upper/etc-work /etc
cp -r tree/usr/. /usr/
cp -r tree/etc/. /etc/
systemd-sysusers /usr/lib/sysusers.d/dnsguard.conf || status=1
for unit in tree/usr/lib/systemd/system/dnsguard*; do
	# Without man-db it cannot find our page.
	systemd-analyze verify --man=no "/usr/lib/systemd/system/$(basename "$unit")" || status=1
done
for unit in dnsguard dnsguard-attach dnsguard-guarded dnsguard-take-back; do
	systemd-analyze security --offline=true --no-pager --threshold="${most_exposed%.*}${most_exposed#*.}" \
		"/usr/lib/systemd/system/$unit.service" >exposure 2>&1 || status=1
	tail -n 1 exposure
done

say AppArmor
# A program that is confined and resolves names.
cat >profile <<'END'
#include <tunables/global>
/usr/bin/resolves-names {
  #include <abstractions/base>
  #include <abstractions/nameservice>
}
END
apparmor_parser --quiet --skip-kernel-load --skip-cache --base /etc/apparmor.d profile || status=1
apparmor_parser --quiet --preprocess --base /etc/apparmor.d profile | grep -q 'dnsguard/resolv.conf r,' || {
	say "abstractions/nameservice does not bring our rule"
	status=1
}

[ "$status" = 0 ] || say "something was found, see above"
exit "$status"
