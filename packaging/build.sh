#!/bin/sh
# Usage: build.sh [--worktree | --source TAR] [--into DIRECTORY] [--under PATH]
# Builds dnsguard_VERSION_all.deb in a clean Debian 13, without network, and runs the quick tests there.
# It is built from HEAD.
#   --worktree        from the files that lie here instead, new ones included, ignored ones not
#   --source TAR      from what another build was made from
#   --into DIRECTORY  where the package, its source.tar and its build.log are put, instead of dist/ of this checkout
#   --under PATH      where the source lies while it is built, below /mnt or /tmp; no byte may depend on it
# Needs root. The Debian root is kept in the user's cache directory, see root.sh.
set -eu

room=$(dirname "$(realpath "$0")")
checkout=$(realpath "$room/..")
into=$checkout/dist
under=/mnt/dnsguard
from=HEAD
while [ $# -gt 0 ]; do
	case $1 in
	--worktree) from=worktree ;;
	--source) from=$(realpath "$2") && shift ;;
	--into) into=$2 && shift ;;
	--under) under=$2 && shift ;;
	*)
		sed -n '2,9s/^# //p' "$0" >&2
		exit 2
		;;
	esac
	shift
done

say() {
	echo "build.sh: $*" >&2
}

if [ "$(id -u)" != 0 ]; then
	say "only root can build in a root of its own; try: sudo $0"
	exit 1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# The checkout may belong to whoever called sudo.
git() {
	command git -c safe.directory="$checkout" -C "$checkout" "$@"
}
case $from in
HEAD)
	say "source: $(git log -1 --format='%h %s')"
	git archive HEAD >"$work/source.tar"
	;;
worktree)
	say "source: the files in $checkout"
	git ls-files -z --cached --others --exclude-standard >"$work/files"
	# Deleted, and the deletion not yet committed: not an error. Nor is 1: written to while it was read.
	tar --create --directory="$checkout" --null --ignore-failed-read --files-from="$work/files" \
		>"$work/source.tar" 2>"$work/log" || [ $? = 1 ]
	;;
*)
	say "source: $from"
	cp "$from" "$work/source.tar"
	;;
esac
mkdir "$work/source"
tar --extract --no-same-owner --directory="$work/source" --file="$work/source.tar"
cp -r "$work/source/packaging/debian" "$work/source/debian"

version=$(sed -n '1s/.*(\(.*\)).*/\1/p' "$work/source/debian/changelog")
python_version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$work/source/pyproject.toml")
if [ "$version" != "$python_version" ]; then
	say "debian/changelog says $version, pyproject.toml $python_version; make them agree"
	exit 1
fi

root=$("$room/root.sh" build)
say "building $version in $root"
status=0
unshare --mount --net --pid --ipc --uts --fork --kill-child \
	"$room/inside.sh" "$root" "$work" "$under" \
	env -C "$under/source" dpkg-buildpackage --build=binary --unsigned-changes --unsigned-source --no-check-builddeps \
	>"$work/log" 2>&1 || status=$?
if [ "$status" != 0 ]; then
	cat "$work/log" >&2
	say "failed; the log is above"
	exit 1
fi
# What the tests said.
sed -n '/^=.* in [0-9.]*s/s/^/build.sh: tests: /p; /^[0-9]* passed/s/^/build.sh: tests: /p' "$work/log" >&2
mkdir -p "$into"
# In one step: whoever installs at this moment gets a whole package.
cp "$work/dnsguard_${version}_all.deb" "$into/.dnsguard.deb"
mv "$into/.dnsguard.deb" "$into/dnsguard_${version}_all.deb"
cp "$work/source.tar" "$into/"
cp "$work/log" "$into/build.log"
say "$into/dnsguard_${version}_all.deb"
