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
	# scdoc puts a paragraph before and after everything; that is how it writes, and nobody sees it.
	mandoc -T lint -W warning "$(basename "$page" .gz)" | grep -v ': skipping paragraph macro: ' && status=1
done

say catalogue and completions
journalctl --update-catalog --root="$PWD/tree"
listed=$(journalctl --list-catalog --root="$PWD/tree" | grep -c dnsguard)
[ "$listed" = "$(grep -c '^-- ' tree/usr/lib/systemd/catalog/dnsguard.catalog)" ] || {
	say "the journal reads $listed entries of the catalogue"
	status=1
}
bash -n tree/usr/share/bash-completion/completions/dnsguard || status=1

say shell scripts
dpkg --control dnsguard.deb control
for script in control/postinst control/postrm control/prerm tree/usr/libexec/dnsguard/*; do
	case $(head -n 1 "$script") in
	# -ef is not POSIX, but dash's.
	'#!/bin/sh'*) shellcheck --exclude=SC3013 "$script" && sh -n "$script" || status=1 ;;
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
# Its exit status is 0 for a key that it does not know; so it must say nothing. Without man-db it cannot find
# our page.
(cd /usr/lib/systemd/system && systemd-analyze verify --man=no dnsguard*) >verified 2>&1 || status=1
if [ -s verified ]; then
	cat verified
	status=1
fi
for unit in dnsguard dnsguard-attach dnsguard-guarded dnsguard-take-back; do
	systemd-analyze security --offline=true --no-pager --threshold="${most_exposed%.*}${most_exposed#*.}" \
		"/usr/lib/systemd/system/$unit.service" >exposure 2>&1 || status=1
	tail -n 1 exposure
done

say AppArmor
# With the features of a kernel that has AppArmor; the one that runs here may have none.
parse() {
	apparmor_parser --quiet --kernel-features /etc/apparmor.d/abi/4.0 --base /etc/apparmor.d "$@"
}
# Debian 12 has the first one alone.
for abstraction in nameservice nameservice-strict; do
	# A program that is confined and resolves names.
	cat >profile <<-END
		abi <abi/4.0>,
		include <tunables/global>
		/usr/bin/resolves-names {
		  include <abstractions/base>
		  include <abstractions/$abstraction>
		}
	END
	parse --skip-kernel-load --skip-cache profile || status=1
	parse --preprocess profile | grep -q 'dnsguard/resolv.conf r,' || {
		say "abstractions/$abstraction does not bring our rule"
		status=1
	}
done

[ "$status" = 0 ] || say "something was found, see above"
exit "$status"
