"""What the real dnsmasq is configured to do, as the guard reads it, and what libc is given then."""

import pytest

from tests.sandbox.guard import NO_UNIT, Guard
from tests.sandbox.host import Host
from tests.sandbox.processes import wait_for
from tests.sandbox.upstreams import OTHER_UPSTREAM, UPSTREAM

# No dnsmasq validates without one. Nobody in here signs anything, so it is understood, but never trusted.
ANCHOR = (f"trust-anchor=.,20326,8,2,{'E0' * 32}",)


def met(host: Host, guard: Guard, *lines: str) -> None:
    """Start a dnsmasq of this configuration, then a guard that has understood it."""
    host.bring_up_dnsmasq(*lines)
    guard.start()


def given_to_libc(host: Host, guard: Guard) -> list[str]:
    guard.wait_for_phase("guarded")
    return host.nameservers()


def test_behind_debians_dnsmasq_an_upstream_stands(host: Host, guarded: Guard) -> None:
    """Its command line has a trust anchor and a conf-dir; neither counts."""
    said = guarded.wait_for_code("standby")

    assert ["127.0.0.1", UPSTREAM] == host.nameservers()
    assert ("info", True) == (said["level"], guarded.status()["standby_used"])
    assert "neither validates DNSSEC nor routes names" in said["text"]


@pytest.mark.parametrize(
    "line",
    [
        *("dnssec", f"server=/corp/{OTHER_UPSTREAM}", "local=/corp/", f"rev-server=10.0.0.0/8,{OTHER_UPSTREAM}"),
        *("address=/intranet.corp/10.0.0.1", "host-record=printer.corp,10.0.0.2", "addn-hosts=/etc/hosts"),
        *("servers-file=/etc/servers", "domain=corp,10.0.0.0/24,local"),
    ],
)
def test_behind_one_that_is_more_than_a_cache_nobody_stands(host: Host, guard: Guard, line: str) -> None:
    """Read from the directory that Debian names on the command line; status and log say why."""
    host.path("/etc/servers").touch()
    met(host, guard, line, *(ANCHOR if line == "dnssec" else ()))
    said = guard.wait_for_code("standby")["text"]

    if line != "dnssec":
        assert ["127.0.0.1"] == given_to_libc(host, guard)
    assert line in said.lower()
    assert not guard.status()["standby_used"]
    assert guard.status()["standby_why"] in said
    assert f"not used: {guard.status()['standby_why']}\n" in guard.asked("status").stdout


def test_what_dnsmasq_does_not_read_does_not_count(host: Host, guard: Guard) -> None:
    """Backups, and what a package left behind."""
    for name in ("corp.conf.dpkg-old", "corp.conf~", ".corp.conf", "#corp.conf#"):
        host.path(f"/etc/dnsmasq.d/{name}").write_text(f"server=/corp/{OTHER_UPSTREAM}\n")
    met(host, guard)

    assert ["127.0.0.1", UPSTREAM] == given_to_libc(host, guard)


def test_a_file_beyond_a_file_counts(host: Host, guard: Guard) -> None:
    """conf-file and conf-dir, from a file in Debian's directory."""
    host.run("mkdir /etc/more")
    host.path("/etc/more/zone.conf").write_text(f'server = "/corp/{OTHER_UPSTREAM}" # told\n')
    host.path("/etc/further").write_text("conf-dir=/etc/more,*.conf\n")
    met(host, guard, "conf-file=/etc/further")

    assert ["127.0.0.1"] == given_to_libc(host, guard)
    assert "(/etc/more/zone.conf:1)" in guard.said("standby")[0]["text"]


def test_a_new_configuration_counts_from_the_next_start_on(host: Host, guarded: Guard) -> None:
    """dnsmasq reads it when it starts, and so do we; it is said when it has changed, not at each start."""
    host.configure_dnsmasq(f"server=/corp/{OTHER_UPSTREAM}")
    assert ["127.0.0.1", UPSTREAM] == host.nameservers()
    for count in (1, 2):
        host.restart_dnsmasq()
        host.age_upstream_file()
        wait_for(lambda count=count: len(guarded.said("guarded")) == count + 1, "trust again")  # type: ignore[misc]

        assert ["127.0.0.1"] == host.nameservers()
        assert 2 == len(guarded.said("standby"))


@pytest.mark.parametrize(("chosen", "servers"), [("yes", ["127.0.0.1", UPSTREAM]), ("no", ["127.0.0.1"])])
def test_the_operator_has_the_last_word(host: Host, guard: Guard, chosen: str, servers: list[str]) -> None:
    """Whatever the configuration says."""
    guard.configure(NO_UNIT + f'[guard]\nstandby = "{chosen}"\n')
    met(host, guard, *(["local=/corp/"] if chosen == "yes" else []))

    assert servers == given_to_libc(host, guard)


def test_a_dnsmasq_with_its_own_servers_is_trusted_with_them(host: Host, guard: Guard) -> None:
    """`no-resolv`: it never holds the lease's server; a new lease is libc's alone."""
    host.start_upstream(OTHER_UPSTREAM)
    met(host, guard, "no-resolv", f"server={OTHER_UPSTREAM}")

    assert ["127.0.0.1", UPSTREAM] == given_to_libc(host, guard)
    assert [OTHER_UPSTREAM] == guard.status()["dnsmasq"]["holds"]
    assert 1 == sum("has its own servers" in record["text"] for record in guard.records())
    assert host.resolves()


def test_a_blinded_dnsmasq_is_trusted_if_its_file_is_right(host: Host, guard: Guard) -> None:
    """`no-ident`: it says NOTIMP to what it holds."""
    met(host, guard, "no-ident")

    assert ["127.0.0.1", UPSTREAM] == given_to_libc(host, guard)
    assert guard.status()["dnsmasq"]["holds"] is None
    assert "no-ident" in guard.said("standby")[0]["text"]


@pytest.mark.parametrize(
    ("lines", "word"),
    [
        (("port=0",), "port=0"),
        (("port=5353",), "port=5353"),
        (("listen-address=192.0.2.2", "bind-interfaces"), "listen-address=127.0.0.1"),
        (("except-interface=lo", "bind-interfaces"), "listen-address=127.0.0.1"),
    ],
)
def test_a_dnsmasq_that_libc_cannot_reach_is_never_named(
    host: Host, guard: Guard, lines: tuple[str, ...], word: str
) -> None:
    """Not even if another one answers in its place, which would die unheard."""
    met(host, guard, *lines)
    said = guard.wait_for_code("dnsmasq-barred")
    host.popen(
        "exec dnsmasq --keep-in-foreground --conf-file=/dev/null --pid-file= --user=root --no-hosts --bind-interfaces"
        " --listen-address=127.0.0.1 --resolv-file=/run/dnsmasq/resolv.conf"
    )
    host.run("while ! grep -q ' 0100007F:0035 ' /proc/net/udp; do :; done; sleep 1")

    assert ("warning", True) == (said["level"], word in said["text"])
    assert ("direct", [UPSTREAM]) == (guard.phase(), host.nameservers())
    assert [] == guard.said("on-trial")
    assert word in guard.status()["summary"]
    assert f"barred: {guard.status()['dnsmasq']['barred']}\n" in guard.asked("status").stdout
