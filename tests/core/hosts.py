"""Hosts as `dnsguard doctor` sees them: a healthy one, and what is changed about it."""

from dataclasses import replace
from typing import Any

from dnsguard.core.host import Answer, Host, Process, Space, Thing, Unit
from dnsguard.core.nature import Nature
from dnsguard.core.owner import Provider
from dnsguard.core.settings import Settings
from dnsguard.core.upstreams import Source, Sources, choose

UPSTREAM, OTHER = "192.0.2.53", "192.0.2.54"
FILE = "/run/dnsmasq/resolv.conf"
UPLINKS = "/run/systemd/resolve/resolv.conf"
HEAD, BASE, TAIL = (f"/etc/resolvconf/resolv.conf.d/{name}" for name in ("head", "base", "tail"))
NATURE = Nature(resolv_files=(FILE,))
GUARDED = "nameserver 127.0.0.1\nnameserver 192.0.2.53\n"
LINK = Thing("link", "/run/dnsguard/resolv.conf", GUARDED)
STUB_RECORDS = {"eth0.inet": f"nameserver {UPSTREAM}\n", "lo.dnsmasq": "nameserver 127.0.0.1\n"}
RUNS, OFF = Unit(exists=True, is_enabled=True), Unit(exists=True)


def holding(*servers: str) -> Answer:
    """What dnsmasq says of its servers."""
    return Answer("", tuple(f"{server}#53 1 0" for server in servers))


def sources(
    records: dict[str, str] | None = None, offered: str | None = f"nameserver {UPSTREAM}\n", **changes: Any
) -> Sources:
    """Those of a guarded host with Debian's resolvconf."""
    given = STUB_RECORDS if records is None else records
    healthy = Sources(
        records=tuple(Source(name, text) for name, text in given.items()),
        interface_order=Source("/etc/resolvconf/interface-order", "lo.inet6\nlo.inet\nlo.@(dnsmasq|pdnsd)\neth*\n"),
        head=Source(HEAD),
        base=Source(BASE),
        tail=Source(TAIL),
        upstream_file=Source(FILE, offered),
        others=(Source("/run/NetworkManager/no-stub-resolv.conf"), Source(UPLINKS)),
        etc=Source("/etc/resolv.conf"),
        published=Source("/run/dnsguard/resolv.conf", f"# Written by dnsguard\n{GUARDED}"),
        newcomer=Source("/var/lib/dnsguard/newcomer.conf"),
        kept=Source("/var/lib/dnsguard/resolv.conf.kept"),
        attached=True,
        networks=("eth0 192.0.2.1 ?",),
    )
    return replace(healthy, **changes)


def host(read: Sources | None = None, **changes: Any) -> Host:
    """A guarded host on which all is well, but for what is changed."""
    read = sources() if read is None else read
    healthy = Host(
        settings=Settings(),
        settings_path="/etc/dnsguard/dnsguard.toml",
        settings_error="",
        settings_file="",
        now_s=1000.0,
        dated=(("/run/dnsguard/status.json", 990.0),),
        programs=frozenset({"/usr/sbin/dnsmasq", "/usr/sbin/ifup"}),
        space=Space("/run", 2**26, 2**25, 1000),
        hosts_line=("files", "dns"),
        resolv_conf=LINK,
        sources=read,
        reading=choose(read, lambda address: address == "192.0.2.2"),
        own=frozenset(),
        provider=Provider.DEBIAN,
        updates_disabled=False,
        dnsmasq=Process(7, "", NATURE, (), holding(UPSTREAM)),
        units={"dnsmasq.service": RUNS, "dnsguard.service": RUNS},
        listeners=(),
        answers={"127.0.0.1": Answer(), UPSTREAM: Answer(), OTHER: Answer()},
        network_manager=False,
        resolved=False,
        told={"pid": 8, "phase": "guarded", "summary": "guarded: 127.0.0.1, 192.0.2.53"},
        is_running=True,
    )
    return healthy._replace(**changes)


def dnsmasq(nature: Nature = NATURE, held: Answer | None = None, **pages: str) -> Process:
    """A process that runs; each page is a file of /etc/dnsmasq.d."""
    files = tuple((f"/etc/dnsmasq.d/{name}", text) for name, text in pages.items())
    return Process(7, "", nature, files, holding(UPSTREAM) if held is None else held)
