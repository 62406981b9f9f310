"""What is wrong with the servers that dnsmasq and libc are given: none, this host itself, dead ones, old ones."""

from collections.abc import Iterator
from dataclasses import replace

from dnsguard.core import mends, resolvconf
from dnsguard.core.findings import Finding, Look
from dnsguard.core.host import Host
from dnsguard.core.loops import UPLINKS, loops
from dnsguard.core.nature import Nature
from dnsguard.core.owner import Provider
from dnsguard.core.resolvconf import is_loopback
from dnsguard.core.servers import Server


def holds(host: Host) -> tuple[str, ...] | None:
    """The addresses that dnsmasq forwards to; None if it does not tell."""
    held = host.dnsmasq.held
    if held is None or held.trouble:
        return None
    addresses = (text.split(" ")[0].rpartition("#")[0] for text in held.texts)
    return tuple(dict.fromkeys(resolvconf.canonical(each) or each for each in addresses))


def look_at_servers(host: Host) -> Look:
    """Whom dnsmasq forwards to."""
    held, nature = holds(host), host.dnsmasq.nature
    if nature is None:
        return Look("forwarding", "there is no dnsmasq to ask")
    seen = "dnsmasq does not say whom it asks" if held is None else f"dnsmasq asks {', '.join(held) or 'nobody'}"
    faults = tuple(_loops(host, nature)) or tuple(_faults(host, nature, held))[:1]
    return Look("forwarding", seen, faults)


def _loops(host: Host, nature: Nature) -> Iterator[Finding]:
    """Servers of dnsmasq's by which it asks itself, as the daemon knows them."""
    for server in (*nature.servers, *_given(host, nature)):
        for what in loops(replace(nature, servers=(server,)), host.reading.resolved_asks):
            why = "a question that comes back to dnsmasq is answered by nobody"
            yield Finding("loop", what, why, mends.drop_server(host, server) or _read_real_servers(host))


def _given(host: Host, nature: Nature) -> Iterator[Server]:
    """What its upstream file names of this host."""
    file = host.sources.upstream_file
    if nature.has_own_servers or host.settings.paths.upstream_file not in nature.resolv_files:
        return
    for address in resolvconf.parse(file.text or "").nameservers:
        if is_loopback(address) or address in host.own:
            yield Server(address, option=f"nameserver {address} ({file.name})")


def _read_real_servers(host: Host) -> str:
    """Have dnsmasq read a file that names real servers, not this host."""
    if host.reading.upstreams and any(not is_loopback(each) for each in uplinks(host)):
        return mends.add_to_dnsmasq(host, f"resolv-file={UPLINKS}")
    return _name_a_server(host)


def _name_a_server(host: Host) -> str:
    """Have dnsmasq ask a real server, or have the network's announced if none is known."""
    known = host.reading.upstreams
    return mends.add_to_dnsmasq(host, f"server={known.nameservers[0]}") if known else mends.renew(host)


def uplinks(host: Host) -> tuple[str, ...]:
    """The servers that systemd-resolved asks."""
    texts = (each.text or "" for each in host.sources.others if each.name == UPLINKS)
    return tuple(address for text in texts for address in resolvconf.parse(text).nameservers)


def _faults(host: Host, nature: Nature, held: tuple[str, ...] | None) -> Iterator[Finding]:
    paths = host.settings.paths
    if nature.no_resolv and held == ():
        why = "it reads no upstream file, and has no server of its own: every question is refused"
        yield Finding("dnsmasq-no-resolv", f"dnsmasq is told `no-resolv`{_where(host)}", why, _drop_no_resolv(host))
    is_told_of = host.settings.dnsmasq.address in mends.servers_of(host) or host.sources.attached
    if not nature.has_own_servers and paths.resolv_conf in nature.resolv_files and is_told_of:
        what = f"dnsmasq takes its servers from {paths.resolv_conf}, where libc is told of dnsmasq"
        why = "it loses its servers as soon as libc is to ask it"
        yield Finding("dnsmasq-circular", what, why, _own_file(host))
    missing = [each for each in host.reading.offered or () if held and each not in held]
    if missing and paths.upstream_file in nature.resolv_files and not nature.no_resolv:
        what = f"dnsmasq was given {', '.join(missing)} in {paths.upstream_file}, and does not hold it"
        why = "it missed the change, or may not read the file; it asks servers that may be gone"
        yield Finding("dnsmasq-outdated", what, why, mends.restart(host))
    if held == ():
        mend = mends.restart(host) if host.reading.offered else _name_a_server(host)
        why = "every question is refused; resolvconf gives it neither `base` nor `head` nor `tail`, records alone"
        yield Finding("dnsmasq-no-servers", "dnsmasq knows no server", why, mend)


def _where(host: Host) -> str:
    places = mends.places_of(host, "no-resolv")
    return f" in {places[0][0]}:{places[0][1]}" if places else " on its command line"


def _drop_no_resolv(host: Host) -> str:
    by_default = rf"sed -i 's/--no-resolv\|-R\b//' /etc/default/dnsmasq && {mends.restart(host)}"
    return mends.remove_option(host, "no-resolv") or by_default


def _own_file(host: Host) -> str:
    """Give dnsmasq a file of its own."""
    if host.provider is Provider.NOBODY:
        return mends.install_resolvconf(host)
    if host.provider is Provider.RESOLVECTL:
        return mends.add_to_dnsmasq(host, f"resolv-file={UPLINKS}")
    return f"sed -i 's/^IGNORE_RESOLVCONF=/#&/' /etc/default/dnsmasq && {mends.restart(host)}"


def look_at_upstreams(host: Host) -> Look:
    """Whether the real servers answer when they are asked directly."""
    known = host.reading.upstreams
    if known is None:
        return _without_upstreams(host)
    seen = ", ".join(map(host.told_of, known.nameservers))
    return Look("upstreams", f"{seen}, from {known.source}", tuple(_dead(host, known.nameservers)))


def _without_upstreams(host: Host) -> Look:
    answering = [each for each in mends.servers_of(host) if not host.trouble_of(each)]
    if answering and not host.is_in_use:
        return Look("upstreams", f"none is known here; {answering[0]} answers libc, and knows whom to ask")
    why = "neither dnsmasq nor libc has anybody to ask; the network's servers were never announced, or taken back"
    mend = mends.renew(host)
    if told := mends.servers_told(host):
        why = f"dnsmasq asks {', '.join(told)} by its configuration; when it fails, nobody knows whom libc could ask"
        mend = mends.announce(host, told)
    finding = Finding("no-upstream", "no source names a server that is not this host", why, mend)
    return Look("upstreams", "none is known", (finding,))


def _dead(host: Host, servers: tuple[str, ...]) -> Iterator[Finding]:
    dead = list(filter(host.fails, servers))
    if dead and len(dead) == len(servers):
        route = "" if host.sources.networks else ": this host has no default route"
        why = "nothing on this host can mend a network; who announces its servers can be asked for them again"
        yield Finding("upstreams-dead", f"no upstream answers{route}", why, mends.renew(host))
        return
    for address in dead:
        why = "a lookup that begins with it waits for seconds; it may come back, and the next lease may name it again"
        what = f"the upstream {address} does not answer ({host.trouble_of(address)}); others do"
        yield Finding("upstream-dead", what, why, mends.forget(host, address) or mends.renew(host))
