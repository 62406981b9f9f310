"""What is wrong with the servers that dnsmasq and libc are given: each fault, its code and its mend."""

from typing import Any

import pytest

from dnsguard.core.dnsmasq_conf import CONF_FILE, understand
from dnsguard.core.doctor_servers import holds, look_at_servers, look_at_upstreams
from dnsguard.core.host import Answer, Process
from dnsguard.core.nature import Nature
from dnsguard.core.owner import Provider
from dnsguard.core.resolvconf import is_loopback
from dnsguard.core.upstreams import Source, Sources
from tests.core.hosts import BASE, FILE, NATURE, OFF, OTHER, UPLINKS, UPSTREAM, dnsmasq, holding, host, sources
from tests.core.test_dnsmasq_conf import DEBIAN, Shelf

RESTART = "systemctl restart dnsmasq"
OWN = "/etc/dnsmasq.d/dnsguard-doctor.conf"
ETC = "/etc/resolv.conf"


def with_uplinks(*servers: str, **changes: Any) -> Sources:
    """systemd-resolved is there, and asks these."""
    text = "".join(f"nameserver {server}\n" for server in servers)
    return sources(others=(Source(UPLINKS, text),), **changes)


def found(read: Sources | None = None, **changes: Any) -> list[tuple[str, str]]:
    """The codes and mends of what is wrong with dnsmasq's servers."""
    return [(each.code, each.mend) for each in look_at_servers(host(read, **changes)).findings]


def ails(read: Sources | None = None, **changes: Any) -> list[tuple[str, str]]:
    """The same of the upstreams."""
    return [(each.code, each.mend) for each in look_at_upstreams(host(read, **changes)).findings]


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        (holding(UPSTREAM), (UPSTREAM,)),
        (Answer("", ("192.0.2.53#53 1 0", "192.0.2.53#54 1 0", "fe80::1%eth0#53 0 0")), (UPSTREAM, "fe80::1%eth0")),
        (Answer(), ()),
        (Answer("notimp"), None),
        (None, None),
    ],
)
def test_what_dnsmasq_holds_is_read_from_what_it_says(
    held: Answer | None, expected: tuple[str, ...] | None
) -> None:  # fmt: skip
    """Each address once; nothing is known if it does not say."""
    assert expected == holds(host(dnsmasq=Process(7, "", NATURE, (), held)))


@pytest.mark.parametrize(
    ("read", "changes"),
    [
        (None, {}),
        (None, {"dnsmasq": Process(missing="no PID file")}),
        (None, {"dnsmasq": dnsmasq(held=Answer("notimp"))}),
        (None, {"dnsmasq": dnsmasq(Nature(no_resolv=True, resolv_files=(FILE,)), holding(OTHER))}),
        # It does not read the file that names this host.
        (
            sources(offered="nameserver 127.0.0.1"),
            {"dnsmasq": dnsmasq(Nature(no_resolv=True, resolv_files=(FILE,)), holding(OTHER))},
        ),
    ],
)
def test_real_servers_are_no_finding(read: Sources | None, changes: dict[str, Any]) -> None:
    """Whoever names them, and also where dnsmasq does not say."""
    assert [] == found(read, **changes)


def configured(text: str) -> Process:
    """Debian's dnsmasq with these lines in /etc/dnsmasq.d/own, read as the daemon reads them."""
    shelf = Shelf({CONF_FILE: "", "/etc/dnsmasq.d/own": text})
    nature = understand(DEBIAN, shelf, lambda address: is_loopback(address) or address in BRIDGES)
    held = (f"{server.address}#{server.port} 0 0" for server in nature.servers)
    return dnsmasq(nature, Answer("", (f"{UPSTREAM}#53 1 0", *held)), own=text)


BRIDGES = ("10.0.3.1", "192.168.122.1")
COMMENT_OUT = f"sed -i '2s/^/#/' /etc/dnsmasq.d/own && {RESTART}"


@pytest.mark.parametrize(
    "text",
    [
        # Bridges of this host, with other dnsmasq.
        "bind-interfaces\nlisten-address=127.0.0.1\nserver=/lxc/10.0.3.1\n",
        "bind-interfaces\nlisten-address=127.0.0.1\nrev-server=192.168.122.0/24,192.168.122.1\nserver=/vm/192.168.122.1",
        "bind-dynamic\nexcept-interface=lxcbr0\nserver=/lxc/10.0.3.1\n",
        # Other ports are other servers.
        "server=127.0.0.1#5335\nserver=10.0.3.1#5353\n",
        "server=/lan/127.0.0.1#5353\n",
    ],
)
def test_other_resolvers_of_this_host_are_no_loop(text: str) -> None:
    """They are not dnsmasq: docs/loops.md says so, and the daemon."""
    process = configured(text)
    assert process.nature is not None
    assert process.nature.servers

    assert [] == found(dnsmasq=process, own=frozenset(BRIDGES))


@pytest.mark.parametrize(
    "line", ["server=127.0.0.1", "server=/lan/10.0.3.1", "rev-server=10.0.3.0/24,10.0.3.1#53 # why"]
)
def test_loop_is_what_the_daemon_calls_one(line: str) -> None:
    """The line that leads back goes, and not that of another port."""
    assert [("loop", COMMENT_OUT)] == found(dnsmasq=configured(f"server=127.0.0.1#5335\n{line}\n"))


def test_loop_through_systemd_resolved() -> None:
    """dnsmasq asks 127.0.0.53, and that asks dnsmasq; the line that says so goes."""
    process = configured("bind-interfaces\nserver=127.0.0.53\n")

    assert [("loop", COMMENT_OUT)] == found(with_uplinks("127.0.0.1"), dnsmasq=process, resolved=True)
    assert [] == found(with_uplinks(UPSTREAM), dnsmasq=process, resolved=True)


def test_loop_whose_line_is_not_found_is_overridden() -> None:
    """A real server is added, or the file that names one."""
    process = configured("server=127.0.0.53\n")._replace(pages=())
    add = f"echo server={UPSTREAM} >>{OWN} && {RESTART}"

    assert [("loop", add)] == found(with_uplinks("127.0.0.1"), dnsmasq=process, resolved=True)


@pytest.mark.parametrize("address", ["127.0.0.1", "192.0.2.2", "::1"])
def test_upstream_that_is_this_host(address: str) -> None:
    """dnsmasq says that it has read the file, and ignores the address or asks nobody."""
    text = f"nameserver {address}\n"
    read = sources({"eth0.inet": text, "lo.dnsmasq": "nameserver 127.0.0.1\n"}, offered=text)
    own = {"own": frozenset({address}), "dnsmasq": dnsmasq(held=Answer())}

    assert [("loop", "resolvconf -d eth0.inet")] == found(read, **own)


def test_no_resolv_without_a_server() -> None:
    """The line is named, and made a comment."""
    nature = Nature(no_resolv=True, resolv_files=(FILE,))
    process = dnsmasq(nature, Answer(), a="cache-size=1\nno-resolv\n")

    assert [("dnsmasq-no-resolv", f"sed -i '2s/^/#/' /etc/dnsmasq.d/a && {RESTART}")] == found(dnsmasq=process)
    assert "/etc/default/dnsmasq" in found(dnsmasq=dnsmasq(nature, Answer()))[0][1]


@pytest.mark.parametrize(
    ("provider", "mend"),
    [
        (Provider.DEBIAN, f"sed -i 's/^IGNORE_RESOLVCONF=/#&/' /etc/default/dnsmasq && {RESTART}"),
        (Provider.NOBODY, f"apt-get install --yes resolvconf && {RESTART}"),
        (Provider.RESOLVECTL, f"echo resolv-file={UPLINKS} >>{OWN} && {RESTART}"),
    ],
)
def test_circle(provider: Provider, mend: str) -> None:
    """dnsmasq reads the file in which libc is told of dnsmasq."""
    process = dnsmasq(Nature(resolv_files=(ETC,)), holding(UPSTREAM))

    assert [("dnsmasq-circular", mend)] == found(dnsmasq=process, provider=provider)


def test_servers_that_dnsmasq_missed() -> None:
    """Its file names them, and it does not hold them."""
    read = sources(offered=f"nameserver {UPSTREAM}\nnameserver {OTHER}\n")

    assert [("dnsmasq-outdated", RESTART)] == found(read)


@pytest.mark.parametrize(
    ("read", "mend"),
    [
        (sources({"lo.dnsmasq": ""}, "", base=Source(BASE, f"nameserver {OTHER}\n")), f"echo server={OTHER} >>{OWN}"),
        (sources({}, ""), "ifup --force eth0"),
        (sources(), RESTART),
    ],
)
def test_dnsmasq_without_a_server(read: Sources, mend: str) -> None:
    """It is given one that libc has, or what announces them is asked again, or it reads its file again."""
    ((code, said),) = found(read, dnsmasq=dnsmasq(held=Answer()))

    assert "dnsmasq-no-servers" == code
    assert said.startswith(mend)


TWO = sources({"eth0.inet": f"nameserver {UPSTREAM}\nnameserver {OTHER}\n", "lo.dnsmasq": "nameserver 127.0.0.1\n"})


def test_upstreams_that_answer_are_no_finding() -> None:
    """Each of them was asked directly."""
    assert [] == ails(TWO)


@pytest.mark.parametrize("trouble", ["silent", "closed", "servfail", "refused"])
def test_dead_upstream_is_named_and_forgotten(trouble: str) -> None:
    """The others go on; the record is announced again without it."""
    ((code, mend),) = ails(TWO, answers={UPSTREAM: Answer(trouble), OTHER: Answer()})

    assert "upstream-dead" == code
    assert mend.endswith("/run/resolvconf/interface/eth0.inet | resolvconf -a eth0.inet")


def test_dead_network_is_one_finding() -> None:
    """No server is to blame, and none is forgotten."""
    answers = {UPSTREAM: Answer("silent"), OTHER: Answer("silent")}

    assert [("upstreams-dead", "ifup --force eth0")] == ails(TWO, answers=answers)
    assert [("upstreams-dead", "ifup --force --all")] == ails(sources(networks=()), answers=answers)


def test_upstream_that_was_not_asked_is_not_said_to_answer() -> None:
    """Nor is it dead."""
    look = look_at_upstreams(host(TWO, answers={UPSTREAM: Answer()}))

    assert look.seen.startswith(f"{UPSTREAM} (answers), {OTHER} (not asked), from ")
    assert () == look.findings


def test_no_upstream_at_all() -> None:
    """No source names one."""
    assert [("no-upstream", "ifup --force eth0")] == ails(sources({}, None))


NOT_IN_USE = {"is_running": False, "units": {"dnsmasq.service": OFF, "dnsguard.service": OFF}}


def test_no_upstream_on_a_host_that_is_not_guarded() -> None:
    """Who answers there, unbound for example, knows whom to ask; nobody else wants to know."""
    assert [] == ails(sources({}, None), **NOT_IN_USE)
    assert ["no-upstream"] == [code for code, _ in ails(sources({}, None), answers={}, **NOT_IN_USE)]
    closed = {"127.0.0.1": Answer("closed"), UPSTREAM: Answer("silent")}
    assert ["no-upstream"] == [code for code, _ in ails(sources({}, None), answers=closed, **NOT_IN_USE)]


@pytest.mark.parametrize(
    ("provider", "place"),
    [(Provider.DEBIAN, f">>{BASE} && resolvconf -u"), (Provider.NOBODY, ">/etc/resolv.conf")],
)
def test_upstreams_that_dnsmasq_alone_knows_are_named_for_dnsguard(provider: Provider, place: str) -> None:
    """Everything resolves until dnsmasq fails; to have the network announced again would bring no server."""
    others = "server=/corp/192.0.2.99\nserver=10.0.3.1\nserver=192.0.2.98#5353"
    conf, read = f"no-resolv\nserver={UPSTREAM}\n{others}\nserver={OTHER}\n", sources({}, None)

    assert [("no-upstream", f"printf 'nameserver %s\\n' {UPSTREAM} {OTHER} {place}")] == ails(
        read, dnsmasq=configured(conf), provider=provider
    )
