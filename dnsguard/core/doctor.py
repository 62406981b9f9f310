"""What is wrong with the path that lookups take on a host, from what was seen of it, and the command that mends it.

One look for each part, in the order in which one fault explains another: mend the first, then ask again.
"""

from collections.abc import Callable, Iterator

from dnsguard.core import mends
from dnsguard.core.doctor_dnsmasq import look_at_dnsmasq
from dnsguard.core.doctor_servers import look_at_servers, look_at_upstreams
from dnsguard.core.findings import Finding, Look
from dnsguard.core.host import HIDDEN, KEPT, Host
from dnsguard.core.loops import UPLINKS
from dnsguard.core.owner import Provider

# A clock that is kept by NTP is never that far off a file it has just dated.
FUTURE_S = 60.0
_HOSTS = "^[[:space:]]*hosts[[:space:]]*:"


def examine(host: Host) -> tuple[Look, ...]:
    """A look at each part."""
    looks = tuple(look(host) for look in _LOOKS)
    return (*looks, _look_at_libc(host, any(each.findings for each in looks)))


def _look_at_settings(host: Host) -> Look:
    path = host.settings_path
    if host.settings_file == HIDDEN:
        return Look("settings", f"this user cannot read {path}; looking with the defaults")
    if not host.settings_error:
        return Look("settings", f"{path} is good")
    return Look(
        "settings",
        f"{path} is kept from dnsguard" if host.settings_file == KEPT else f"{path} is bad; looking with the defaults",
        (
            Finding(
                "bad-settings",
                host.settings_error,
                "dnsguard does not start with it; one that runs goes on with the settings it had",
                mends.mend_settings(host),
            ),
        ),
    )


def _look_at_clock(host: Host) -> Look:
    future = [(path, when_s - host.now_s) for path, when_s in host.dated if when_s - host.now_s > FUTURE_S]
    if not future:
        return Look("clock", "nothing on this host is from the future")
    path, by_s = max(future, key=lambda each: each[1])
    what = f"{path} is from {_span(by_s)} ahead of the clock"
    why = (
        "a clock that is wrong makes signatures invalid: dnsmasq refuses DNSSEC-signed names, TLS refuses certificates"
    )
    if all(each == host.settings.paths.status for each, _ in future):
        words = "the clock was set back after dnsguard wrote that; if it is right now, nothing but that report is wrong"
        finding = Finding("clock-jumped", what, words, "systemctl restart dnsguard")
    else:
        finding = Finding("clock-behind", what, why, mends.set_clock(host))
    return Look("clock", f"it shows a time {_span(by_s)} before that of {path}", (finding,))


def _span(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{seconds / 60:.0f} minutes"


def _look_at_space(host: Host) -> Look:
    space = host.space
    if not space.size or (space.free and space.free_inodes):
        return Look("space", f"{space.path} has {space.free // 2**20} MiB left")
    more = f"size={space.size * 2 // 1024}k" if not space.free else "nr_inodes=0"
    finding = Finding(
        "run-full",
        f"{space.path} is full" + (f"; its largest file is {space.largest}" if space.largest else ""),
        "neither resolvconf nor dnsmasq can write there, and libc may be left with a dead server at the next change;"
        " what the mend gives is memory: find out what fills it",
        f"mount -o remount,{more} {mends.quoted(space.path)}",
    )
    return Look("space", f"{space.path} is full", (finding,))


def _look_at_nsswitch(host: Host) -> Look:
    words = host.hosts_line
    if words is None:
        return Look("nsswitch", "no hosts line: libc asks DNS by default")
    seen = f"hosts: {' '.join(words)}"
    if host.resolved and "resolve" in words[: words.index("dns") if "dns" in words else None]:
        what, why = "libc asks systemd-resolved before DNS", "what /etc/resolv.conf says does not count then"
        mend = rf"sed -i '/{_HOSTS}/s/\bresolve\b\([[:space:]]*\[[^]]*\]\)*//' /etc/nsswitch.conf"
        return Look("nsswitch", seen, (Finding("nsswitch-resolved", what, why, mend),))
    if "dns" not in words:
        what, why = "libc is told not to ask DNS at all", "no name is looked up but those in /etc/hosts"
        mend = f"sed -i 's/{_HOSTS}[^#]*/& dns /' /etc/nsswitch.conf"
        return Look("nsswitch", seen, (Finding("nsswitch-no-dns", what, why, mend),))
    return Look("nsswitch", seen)


def _look_at_resolv_conf(host: Host) -> Look:
    thing = host.resolv_conf
    what = {"link": f"a link to {thing.target}", "file": "a plain file", "absent": "not there"}.get(
        thing.kind, f"a {thing.kind}"
    )
    findings = tuple(_faults_of_resolv_conf(host))[:1]
    return Look("resolv.conf", f"{host.settings.paths.resolv_conf} is {what}", findings)


def _faults_of_resolv_conf(host: Host) -> Iterator[Finding]:
    thing, path = host.resolv_conf, host.settings.paths.resolv_conf
    is_wanted = host.is_in_use or host.dnsmasq.pid != 0 or host.provider is Provider.DEBIAN
    then = f" && {_take(host)}" if not host.sources.attached else ""
    if thing.is_immutable and is_wanted:
        places = f"{path} /etc" if thing.kind == "file" else "/etc"
        why = "nobody can replace it, root included: it keeps naming the servers of the day when that was done"
        yield Finding("resolv-conf-immutable", f"{path} is immutable (chattr +i)", why, f"chattr -i -a {places}{then}")
    if thing.kind == "mount" and is_wanted:
        why = "nobody can replace it; who mounted it, a container's maker for example, owns it"
        yield Finding("resolv-conf-mounted", f"{path} is a mount", why, f"umount {path}{then}")
    if thing.text is None:
        why = "libc asks this host itself then, at 127.0.0.1"
        yield Finding("resolv-conf-missing", f"{path} cannot be read", why, _take(host))
    if _is_of_network_manager(host) and (host.is_in_use or host.dnsmasq.pid):
        yield Finding(
            "resolv-conf-of-networkmanager",
            f"NetworkManager writes {path}",
            "libc asks the servers that NetworkManager knows, never dnsmasq; whoever else writes the file is undone",
            _take_from_network_manager(host),
        )
    elif host.is_running and not host.sources.attached:
        why = "dnsguard can neither put dnsmasq there nor take it away; another program owns the file"
        yield Finding("not-attached", f"{path} is not dnsguard's", why, "dnsguard attach")


def _is_of_network_manager(host: Host) -> bool:
    thing = host.resolv_conf
    return "/NetworkManager/" in thing.target or (thing.text or "").startswith("# Generated by NetworkManager")


def _take_from_network_manager(host: Host) -> str:
    how = "resolvconf" if host.provider is Provider.DEBIAN and not host.is_in_use else "unmanaged"
    conf = f"printf '[main]\\nrc-manager={how}\\n' >/etc/NetworkManager/conf.d/90-dnsguard.conf"
    reload = "systemctl reload NetworkManager && " if host.network_manager else ""
    return f"{conf} && {reload}{_take(host)}"


def _take(host: Host) -> str:
    """Put the right link at /etc/resolv.conf."""
    if host.provider is Provider.DEBIAN and not host.is_in_use:
        return "ln -sfn ../run/resolvconf/resolv.conf /etc/resolv.conf && resolvconf -u"
    return "dnsguard attach" if host.is_in_use else "systemctl enable --now dnsguard"


def _look_at_resolvconf(host: Host) -> Look:
    records = host.sources.records
    seen = host.provider.value
    if records is not None:
        seen += f", with the records {', '.join(record.name for record in records) or 'of nobody'}"
    return Look("resolvconf", seen, tuple(_faults_of_resolvconf(host))[:1])


def _faults_of_resolvconf(host: Host) -> Iterator[Finding]:
    nature, file = host.dnsmasq.nature, host.settings.paths.upstream_file
    if host.provider is Provider.DEBIAN and host.updates_disabled:
        why = "neither libc nor dnsmasq hears of new servers"
        mend = "resolvconf --enable-updates && resolvconf -u"
        yield Finding("resolvconf-disabled", "somebody ran `resolvconf --disable-updates`", why, mend)
    if nature is None or nature.has_own_servers or file not in nature.resolv_files:
        return
    if host.provider is Provider.NOBODY:
        why = "nobody writes that file: dnsmasq keeps the servers of today, and loses them when it is restarted"
        what = f"dnsmasq reads {file}, and there is no resolvconf"
        yield Finding("resolvconf-removed", what, why, mends.install_resolvconf(host))
    elif not host.reading.offered and host.provider in _GIVING:
        why = "it forwards no question: Debian's scripts have it read a file that this resolvconf does not write"
        mend = f"{_GIVING[host.provider]} && {mends.restart(host)}"
        yield Finding("dnsmasq-given-nothing", f"dnsmasq reads {file}, which names no server", why, mend)
    elif host.reading.registered is False:
        why = "who took its record away wants it unused: resolvconf gives it no servers, and libc is not told of it"
        yield Finding("dnsmasq-not-registered", "dnsmasq has no record with resolvconf", why, mends.restart(host))


_GIVING = {
    Provider.OPENRESOLV: "echo dnsmasq_resolv=/run/dnsmasq/resolv.conf >>/etc/resolvconf.conf && resolvconf -u",
    Provider.RESOLVECTL: "echo IGNORE_RESOLVCONF=yes >>/etc/default/dnsmasq"
    f" && echo resolv-file={UPLINKS} >>{mends.DROP_IN}",
}


def _look_at_dnsguard(host: Host) -> Look:
    unit, told = host.units["dnsguard.service"], host.told or {}
    if unit.masked_at:
        what = f"dnsguard is masked by {unit.masked_at}"
        why = "nobody takes libc back to the upstreams when dnsmasq dies"
        finding = Finding("dnsguard-masked", what, why, mends.unmask(unit.masked_at, "dnsguard.service"))
        return Look("dnsguard", "it cannot start", (finding,))
    if not host.is_running:
        if not unit.is_enabled:
            return Look("dnsguard", "it is not in use on this host")
        # A bad configuration ends it, and is told above.
        why = "nobody takes libc back to the upstreams when dnsmasq dies; why it ended: `journalctl -u dnsguard -n 20`"
        stopped = Finding("dnsguard-stopped", "dnsguard is enabled and does not run", why, "systemctl start dnsguard")
        return Look("dnsguard", "it does not run", () if host.settings_error else (stopped,))
    if told.get("phase") == "yielded":
        why = "two owners of the file fight, and dnsguard stands back; find the other: `journalctl -u dnsguard -n 20`"
        finding = Finding("dnsguard-yielded", "dnsguard has given the file up", why, "systemctl restart dnsguard")
        return Look("dnsguard", "it stands back", (finding,))
    return Look("dnsguard", f"it runs: {told.get('summary') or told.get('phase')}")


def _look_at_libc(host: Host, is_explained: bool) -> Look:
    servers = mends.servers_of(host)
    seen = ", then ".join(map(host.told_of, servers))
    finding = Finding(
        "server-silent",
        f"the first server that libc asks does not answer: {host.trouble_of(servers[0])}",
        "each lookup waits five seconds for it, or for ever if there is no other",
        mends.forget(host, servers[0]) or _take(host),
    )
    return Look("libc", f"it asks {seen}", (finding,) if host.fails(servers[0]) and not is_explained else ())


_LOOKS: tuple[Callable[[Host], Look], ...] = (
    _look_at_settings,
    _look_at_clock,
    _look_at_space,
    _look_at_nsswitch,
    _look_at_resolv_conf,
    _look_at_resolvconf,
    look_at_dnsmasq,
    look_at_servers,
    look_at_upstreams,
    _look_at_dnsguard,
)
