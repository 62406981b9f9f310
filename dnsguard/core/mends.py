"""The commands that mend things, each as root types it into a shell; everything that comes from outside is quoted."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from dnsguard.core import resolvconf
from dnsguard.core.dnsmasq_conf import lines
from dnsguard.core.host import ABSENT, KEPT, Host
from dnsguard.core.owner import Provider
from dnsguard.core.records import DNSMASQ_RECORD
from dnsguard.core.servers import DNS_PORT, OPTIONS, Server, server_of

if TYPE_CHECKING:
    from dnsguard.core.upstreams import Source

DROP_IN = "/etc/dnsmasq.d/dnsguard-doctor.conf"
_PLAIN = re.compile(r"[\w@%+=:,./-]+", re.ASCII)


def quoted(word: str) -> str:
    """The word as a shell takes it for one."""
    return word if _PLAIN.fullmatch(word) else "'" + word.replace("'", "'\"'\"'") + "'"


def short(unit: str) -> str:
    """A service's name as one types it."""
    return quoted(unit.removesuffix(".service"))


def unmask(masked_at: str, unit: str) -> str:
    """Unmask a unit, or of an instance the template if that is what is masked, and start it."""
    option = " --runtime" if masked_at.startswith("/run/") else ""
    return f"systemctl unmask{option} {short(masked_at.rpartition('/')[2])} && systemctl start {short(unit)}"


def install_resolvconf(host: Host) -> str:
    """Have somebody write the file that dnsmasq reads."""
    return f"apt-get install --yes resolvconf && {restart(host)}"


def comment_out(path: str, number: int) -> str:
    """Make a line, counted from 1, a comment."""
    return f"sed -i '{number}s/^/#/' {quoted(path)}"


def restart(host: Host) -> str:
    """Start the dnsmasq of this host again."""
    return f"systemctl restart {short(host.settings.dnsmasq.unit or 'dnsmasq.service')}"


def add_to_dnsmasq(host: Host, option: str) -> str:
    """Add an option to its configuration."""
    return f"echo {quoted(option)} >>{DROP_IN} && {restart(host)}"


def stop_sockets(port: int, addresses: Iterable[str]) -> str:
    """Stop the units for which systemd itself listens there, and what it has started for them."""
    places = " ".join(f"[{each}]:{port}" if ":" in each else f"{each}:{port}" for each in addresses)
    units = f"""awk 'index(" {places} ", " " $1 " ") {{ print $2, $3 }}'"""
    return f"systemctl stop $(systemctl list-sockets --no-legend | {units})"


def remove_option(host: Host, *names: str) -> str:
    """Take these options out of dnsmasq's configuration; "" if they are not in its files."""
    places = [place for name in names for place in places_of(host, name)]
    return " && ".join((*(comment_out(*place) for place in places), restart(host))) if places else ""


def places_of(host: Host, option: str) -> list[tuple[str, int]]:
    """Where dnsmasq's files say this, as path and line."""
    return [(path, number) for path, number, name, _ in _options(host) if name == option]


def _options(host: Host) -> Iterator[tuple[str, int, str, str]]:
    """What dnsmasq's files say, as dnsmasq reads it: path, line, name and value."""
    for path, text in host.dnsmasq.pages:
        for number, line in lines(text):
            name, _, value = (line or "").partition("=")
            yield path, number, name.rstrip(" "), value.lstrip(" ")


def forget(host: Host, address: str) -> str:
    """Take a server out of whatever names it; "" if no source that can be changed does."""
    sources = host.sources
    for record in sources.records or ():
        if record.name != DNSMASQ_RECORD and address in resolvconf.parse(record.text or "").nameservers:
            return _forget_in_record(host, record, address)
    if mend := _drop_option(host, Server(address)):
        return mend
    for source in (sources.head, sources.base, sources.tail):
        if mend := _without(address, source):
            return f"{mend} && resolvconf -u"
    return _without(address, sources.etc if host.resolv_conf.kind == "file" else sources.kept)


def drop_server(host: Host, server: Server) -> str:
    """Have dnsmasq not ask this one; "" if nothing that can be changed names it."""
    return _drop_option(host, server) or (
        "" if server.routed or server.port != DNS_PORT else forget(host, server.address)
    )


def _drop_option(host: Host, server: Server) -> str:
    meant = replace(server, option="")
    for path, number, name, value in _options(host):
        if name in OPTIONS and server_of(name, value) == meant:
            return f"{comment_out(path, number)} && {restart(host)}"
    return ""


def _forget_in_record(host: Host, record: "Source", address: str) -> str:
    folder = "interface" if host.provider is Provider.DEBIAN else "interfaces"
    if resolvconf.parse(record.text or "").nameservers == (address,):
        return f"resolvconf -d {quoted(record.name)}"
    path = quoted(f"{host.settings.paths.resolvconf_dir}/{folder}/{record.name}")
    return f"sed {_deleting(address, record)} {path} | resolvconf -a {quoted(record.name)}"


def _without(address: str, source: "Source") -> str:
    script = _deleting(address, source)
    return f"sed -i {script} {quoted(source.name)}" if script else ""


def _deleting(address: str, source: "Source") -> str:
    """What deletes the lines that name the server, however they spell it; "" if there are none."""
    numbered = enumerate((source.text or "").split("\n"), start=1)
    found = [f"{number}d" for number, line in numbered if resolvconf.parse(line).nameservers == (address,)]
    return quoted(";".join(found)) if found else ""


def servers_told(host: Host) -> tuple[str, ...]:
    """The real servers in dnsmasq's files that it asks for any name, and that libc could ask, too."""
    here = [server.address for server in host.dnsmasq.nature.servers] if host.dnsmasq.nature else []
    named = (server_of(name, value) for _, _, name, value in _options(host) if name in OPTIONS)
    usual = (each.address for each in named if each and each == Server(each.address) and each.address not in here)
    return tuple(dict.fromkeys(usual))


def announce(host: Host, servers: tuple[str, ...]) -> str:
    """Name these servers for the whole host."""
    lines = f"printf 'nameserver %s\\n' {' '.join(map(quoted, servers))}"
    if host.provider is Provider.DEBIAN:
        return f"{lines} >>{quoted(host.sources.base.name)} && resolvconf -u"
    # dnsguard takes that back at once, and keeps the servers as a source.
    return f"{lines} >{quoted(host.settings.paths.resolv_conf)}"


def servers_of(host: Host) -> tuple[str, ...]:
    """Whom libc asks on this host."""
    return servers_in(host.resolv_conf.text or "")


def servers_in(text: str) -> tuple[str, ...]:
    """Whom libc asks by this resolv.conf: three servers at most, this host itself if it names none."""
    return resolvconf.parse(text).nameservers[: resolvconf.MAX_NAMESERVERS] or ("127.0.0.1",)


def renew(host: Host) -> str:
    """Have the network's servers announced again by who announces them."""
    interface = quoted(host.sources.networks[0].split(" ")[0]) if host.sources.networks else ""
    if host.network_manager:
        return f"nmcli device reapply {interface}" if interface else "nmcli networking on"
    if "/usr/sbin/ifup" in host.programs:
        return f"ifup --force {interface or '--all'}"
    return f"networkctl renew {interface}" if interface else "systemctl restart systemd-networkd"


CLOCK_KEEPERS = {
    "/usr/sbin/chronyd": "systemctl restart chrony && chronyc makestep",
    # Both have ntpd, and one of them alone this name for it.
    "/usr/sbin/openntpd": "systemctl restart openntpd",
    "/usr/sbin/ntpd": "systemctl restart ntpsec",
    "/usr/lib/systemd/systemd-timesyncd": "timedatectl set-ntp true && systemctl restart systemd-timesyncd",
}
"""Debian's programs that keep a clock, and how each is told to set it. apt removes one when another is installed."""


def set_clock(host: Host) -> str:
    """Have the clock set by the program that keeps it here, or bring one."""
    known = (command for program, command in CLOCK_KEEPERS.items() if program in host.programs)
    return next(known, "apt-get install --yes systemd-timesyncd")


def mend_settings(host: Host) -> str:
    """Let the daemon read dnsguard.toml, or take out what is complained of; then have it read again."""
    return f"{_readable(host) or _without_fault(host)} && systemctl restart dnsguard"


def _readable(host: Host) -> str:
    """Let dnsguard's user read the file, or make an empty one, which means the defaults; "" if that is not wanting."""
    path = quoted(host.settings_path)
    made = {KEPT: f"chgrp dnsguard {path} && chmod 0640 {path}", ABSENT: f"install -D -m 0644 /dev/null {path}"}
    return made.get(host.settings_file, "")


def _without_fault(host: Host) -> str:
    """Make the line a comment that is complained of; move the file away if no line is named."""
    path = host.settings_path
    if host.settings_error.startswith("[health] questions:"):
        return rf"sed -i '{_QUESTIONS}' {quoted(path)}"
    line = re.search(rf"{re.escape(path)}:(\d+)|at line (\d+)", host.settings_error)
    number = next((int(each) for each in line.groups() if each), 0) if line else 0
    return comment_out(path, number) if number else f"mv {quoted(path)} {quoted(path + '.bad')}"


# That key's list, which may be several lines long, made a comment. Who complains of a question knows no line.
_QUESTIONS = "/^[^#]*questions[[:space:]]*=/{:a;/]/!{N;ba};s/^/#/Mg}"
