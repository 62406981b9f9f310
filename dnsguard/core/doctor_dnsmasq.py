"""What is wrong with dnsmasq itself: it does not run, or serves where libc does not ask, or not at all."""

from dnsguard.core import mends
from dnsguard.core.findings import Finding, Look
from dnsguard.core.host import Host, Listener
from dnsguard.core.nature import Nature
from dnsguard.core.resolvconf import is_loopback

_TAKES_ALL = ("0.0.0.0", "::")
# systemd-resolved listens there and nowhere else.
_STUBS = ("127.0.0.53", "127.0.0.54")


def look_at_dnsmasq(host: Host) -> Look:
    """Whether it runs where it is wanted, and answers."""
    process = host.dnsmasq
    if process.nature is None:
        return _absent(host)
    seen = f"PID {process.pid}, at {host.settings.dnsmasq.address}"
    barred = process.nature.bar(host.settings.dnsmasq.address, host.settings.dnsmasq.port)
    if barred:
        why = "libc cannot be given it; while resolv.conf names it, no lookup is answered"
        finding = Finding("dnsmasq-barred", barred, why, _mend_bar(host, process.nature))
        return Look("dnsmasq", seen, (finding,))
    trouble = process.held.trouble if process.held else ""
    if trouble in ("silent", "closed"):
        what = "dnsmasq does not answer" if trouble == "silent" else "dnsmasq runs, and nobody answers at its port"
        why = "it hangs, or is stopped (SIGSTOP): each lookup that goes to it waits for seconds"
        return Look("dnsmasq", seen, (Finding("dnsmasq-hangs", what, why, mends.restart(host)),))
    return Look("dnsmasq", f"{seen}, answers")


def _mend_bar(host: Host, nature: Nature) -> str:
    wanted = host.settings.dnsmasq
    if nature.port != wanted.port:
        return mends.remove_option(host, "port") or mends.add_to_dnsmasq(host, f"port={wanted.port}")
    if wanted.address in nature.excepted or "lo" in nature.excepted:
        return mends.remove_option(host, "except-interface") or mends.add_to_dnsmasq(
            host, f"listen-address={wanted.address}"
        )
    return mends.add_to_dnsmasq(host, f"listen-address={wanted.address}")


def _absent(host: Host) -> Look:
    name = host.settings.dnsmasq.unit or "dnsmasq.service"
    unit, is_named = host.units[name], host.settings.dnsmasq.address in mends.servers_of(host)
    short, seen = mends.quoted(name.removesuffix(".service")), f"it does not run: {host.dnsmasq.missing}"
    if unit.masked_at:
        option = " --runtime" if unit.masked_at.startswith("/run/") else ""
        why = "nothing can start it, not even `systemctl start`"
        # Of an instance the template may be masked.
        masked = mends.quoted(unit.masked_at.rpartition("/")[2].removesuffix(".service"))
        mend = f"systemctl unmask{option} {masked} && systemctl start {short}"
        return Look("dnsmasq", seen, (Finding("dnsmasq-masked", f"{name} is masked by {unit.masked_at}", why, mend),))
    if not unit.exists or "/usr/sbin/dnsmasq" not in host.programs:
        if not is_named:
            return Look("dnsmasq", "it is not installed, and libc is not told of it")
        why = "resolv.conf names it, so lookups are answered by nobody"
        return (
            Look("dnsmasq", seen, (_missing(why),)) if not host.listeners else Look("dnsmasq", "another server is used")
        )
    if not unit.is_enabled and not is_named:
        return Look("dnsmasq", "it is switched off, and libc is not told of it")
    takers = [each for each in host.listeners if each.address in _TAKES_ALL or is_loopback(each.address)]
    if host.dnsmasq.held and host.dnsmasq.held.texts and not any(each.pid for each in takers):
        # Under hidepid= nobody but root sees it; no other server tells whom it forwards to.
        return Look("dnsmasq", f"it answers; as this user one cannot see its process: {host.dnsmasq.missing}")
    if takers:
        return Look("dnsmasq", seen, (_port_taken(host, takers),))
    log = f"journalctl -u {short} -n 20"
    why = f"nobody answers at its port; `{log}` says why it ended, `dnsmasq --test` checks its files"
    return Look("dnsmasq", seen, (Finding("dnsmasq-stopped", "dnsmasq does not run", why, f"systemctl start {short}"),))


def _missing(why: str) -> Finding:
    return Finding("dnsmasq-missing", "dnsmasq is not installed", why, "apt-get install --yes dnsmasq")


def _port_taken(host: Host, takers: list[Listener]) -> Finding:
    who = max(takers, key=lambda each: each.pid)
    name = f"{who.name} (PID {who.pid}{', ' + who.unit if who.unit else ''})" if who.pid else "somebody"
    what = f"{name} has taken port 53 at {', '.join(sorted({each.address for each in takers}))}"
    why = "dnsmasq cannot start, and if libc is told of that address it asks a stranger"
    if all(each.address in _STUBS for each in takers):
        return Finding("port-taken", what, why, mends.add_to_dnsmasq(host, "bind-interfaces"))
    if not who.pid:
        why += "; run `dnsguard doctor` as root to be told who it is, and how to stop it"
        return Finding("port-taken", what, why, "ss --listening --numeric --processes --udp --tcp 'sport = :53'")
    stop = f"systemctl stop {mends.quoted(who.unit)}" if who.unit else f"kill {who.pid} && sleep 1"
    return Finding("port-taken", what, why, f"{stop} && {mends.restart(host)}")
