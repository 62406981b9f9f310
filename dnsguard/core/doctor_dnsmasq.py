"""What is wrong with dnsmasq itself: it does not run, or serves where libc does not ask, or not at all."""

from dnsguard.core import mends
from dnsguard.core.findings import Finding, Look
from dnsguard.core.host import Host, Listener
from dnsguard.core.nature import Nature
from dnsguard.core.resolvconf import is_loopback

_TAKES_ALL = ("0.0.0.0", "::")


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
    unit = host.units[name]
    is_installed = unit.exists and "/usr/sbin/dnsmasq" in host.programs
    if _is_hidden(host):
        return Look("dnsmasq", f"it answers; as this user one cannot see its process: {host.dnsmasq.missing}")
    off = (bool(unit.masked_at), "masked"), (not is_installed, "not installed"), (not unit.is_enabled, "switched off")
    if reason := next((_why_not(host, how) for is_so, how in off if is_so), ""):
        return Look("dnsmasq", reason)
    seen = f"it does not run: {host.dnsmasq.missing}"
    if unit.masked_at:
        what, why = f"{name} is masked by {unit.masked_at}", "nothing can start it, not even `systemctl start`"
        return Look("dnsmasq", seen, (Finding("dnsmasq-masked", what, why, mends.unmask(unit.masked_at, name)),))
    if not is_installed:
        return Look("dnsmasq", seen, (_missing(),))
    return _stopped(host, seen, mends.short(name))


def _is_hidden(host: Host) -> bool:
    """Whether it runs all the same: under hidepid= root alone sees it; no other server tells whom it forwards to."""
    held = host.dnsmasq.held
    return held is not None and bool(held.texts) and not any(each.pid for each in _takers(host))


def _why_not(host: Host, how: str) -> str:
    """Why a dnsmasq that is "masked", "switched off" or "not installed" is not missed, in words; "" if it is."""
    address = host.settings.dnsmasq.address
    if address in mends.servers_of(host):
        is_taken = not host.trouble_of(address) or _takers(host)
        return f"it is {how}, and another server is used at {address}" if is_taken else ""
    return "" if how == "masked" else f"it is {how}, and libc is not told of it"


def _takers(host: Host) -> list[Listener]:
    """Who has the port at the address where dnsmasq is wanted."""
    return [each for each in host.listeners if each.address in (host.settings.dnsmasq.address, *_TAKES_ALL)]


def _stopped(host: Host, seen: str, short: str) -> Look:
    takers = _takers(host)
    if takers:
        return Look("dnsmasq", seen, (_port_taken(host, takers),))
    beside = [each for each in host.listeners if is_loopback(each.address)]
    if beside and host.dnsmasq.takes_all:
        # As systemd-resolved's stub, and whom dnsmasq itself may be meant to ask: it need not be stopped.
        why = "dnsmasq wants the port at all addresses, and cannot start while another has it at one of them"
        mend = mends.add_to_dnsmasq(host, "bind-interfaces")
        return Look("dnsmasq", seen, (Finding("port-taken", _named(beside), why, mend),))
    log = f"journalctl -u {short} -n 20"
    why = f"nobody answers at its port; `{log}` says why it ended, `dnsmasq --test` checks its files"
    return Look("dnsmasq", seen, (Finding("dnsmasq-stopped", "dnsmasq does not run", why, f"systemctl start {short}"),))


def _missing() -> Finding:
    why = "resolv.conf names it, so lookups are answered by nobody"
    return Finding("dnsmasq-missing", "dnsmasq is not installed", why, "apt-get install --yes dnsmasq")


def _first(takers: list[Listener]) -> Listener:
    """One whose process is known, if there is any."""
    return min(takers, key=lambda each: (each.pid == 0, each.pid))


def _named(takers: list[Listener]) -> str:
    who = _first(takers)
    name = f"{who.name} (PID {who.pid}{', ' + who.unit if who.unit else ''})" if who.pid else "somebody"
    return f"{name} has taken port 53 at {', '.join(sorted({each.address for each in takers}))}"


def _port_taken(host: Host, takers: list[Listener]) -> Finding:
    who, what = _first(takers), _named(takers)
    why = "dnsmasq cannot start, and if libc is told of that address it asks a stranger"
    if not who.pid:
        why += "; run `dnsguard doctor` as root to be told who it is, and how to stop it"
        return Finding("port-taken", what, why, "ss --listening --numeric --processes --udp --tcp 'sport = :53'")
    if who.pid == 1:
        why += "; systemd waits there for the first question, to start a service by its socket"
        stop = mends.stop_sockets(host.settings.dnsmasq.port, sorted({each.address for each in takers}))
    else:
        stop = f"systemctl stop {mends.quoted(who.unit)}" if who.unit else f"kill {who.pid} && sleep 1"
    return Finding("port-taken", what, why, f"{stop} && {mends.restart(host)}")
