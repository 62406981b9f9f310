# dnsguard.toml -> dnsguard.toml(5). The file's shape: a comment paragraph, then `[section]` or `#key = default`.
function escaped(text) {
	gsub(/\\/, "\\e", text)
	sub(/^[.']/, "\\\\\\&&", text)
	return text
}
function tell() {
	for (line = 1; line <= told; line++) {
		# A new sentence begins a new line, as mdoc wants it.
		gsub(/\. /, ".\n", comment[line])
		gsub(/`/, "", comment[line])
		print escaped(comment[line])
	}
	told = 0
}
function end_list() {
	if (listing) print ".El"
	listing = 0
}
BEGIN {
	print ".\\\" Made from etc/dnsguard/dnsguard.toml when the package is built."
	print ".Dd November 24, 2026\n.Dt DNSGUARD.TOML 5\n.Os\n.Sh NAME\n.Nm dnsguard.toml\n.Nd configuration of dnsguard"
	print ".Sh DESCRIPTION"
	print "A TOML file in which every key may be left out; shown are the defaults."
}
NR == 1 { next }
/^#[a-z_]+ = / {
	if (!listing) print ".Bl -tag -width Ds"
	listing = 1
	key = substr($0, 2)
	sub(/ = .*/, "", key)
	value = $0
	sub(/^[^=]*= /, "", value)
	printf ".It Va %s No = Li %s\n", key, escaped(value)
	tell()
	next
}
/^#/ {
	comment[++told] = substr($0, 3)
	next
}
/^\[/ {
	end_list()
	printf ".Ss %s\n", $0
	tell()
	next
}
/^$/ && !introduced {
	tell()
	introduced = 1
}
END {
	end_list()
	print ".Sh FILES\n.Bl -tag -width Ds -compact\n.It Pa /etc/dnsguard/dnsguard.toml\n.El"
	print ".Sh SEE ALSO\n.Xr dnsguard 8"
}
