"""What stock hosts lose without dnsguard: nothing here installs it. So the machines can show trouble."""

from collections.abc import Sequence

from tests.sandbox.lookups import Lookup, tally
from tests.sandbox.processes import wait_for
from tests.sandbox.upstreams import UPSTREAM
from tests.system.machine import Machine

MANY = 50
"""Lookups: half a second of them."""

LOST = "Temporary failure in name resolution"


def last_errors(lookups: Sequence[Lookup]) -> set[str]:
    """How the last of them ended."""
    return {lookup.error for lookup in lookups[-MANY // 2 :]}


def test_killed_dnsmasq_takes_dns_away_until_somebody_acts(with_dnsmasq: Machine) -> None:
    """systemd sees the death, and neither deregisters it nor starts another one."""
    with_dnsmasq.start_sampler()
    with_dnsmasq.run("systemctl kill --signal=KILL dnsmasq")
    wait_for(lambda: with_dnsmasq.failed_units() == ["dnsmasq.service"], "failed unit")
    with_dnsmasq.wait_for_lookups(MANY)
    lookups = with_dnsmasq.stop_sampler()

    assert {LOST} == last_errors(lookups)
    assert ["127.0.0.1"] == with_dnsmasq.nameservers()
    with_dnsmasq.run("systemctl start dnsmasq")
    wait_for(with_dnsmasq.resolves, "answer of another dnsmasq")


def test_stop_takes_dns_away_for_good_on_debian_13(with_dnsmasq: Machine, suite: str) -> None:
    """Debian 12 deregisters dnsmasq first; Debian 13 kills its own deregistration."""
    with_dnsmasq.start_sampler()
    with_dnsmasq.run("systemctl stop dnsmasq")
    with_dnsmasq.wait_for_lookups(MANY)
    lookups = with_dnsmasq.stop_sampler()

    assert tally(lookups).failed > 0
    assert {"" if suite == "bookworm" else LOST} == last_errors(lookups)
    assert [UPSTREAM if suite == "bookworm" else "127.0.0.1"] == with_dnsmasq.nameservers()


def test_plain_host_loses_lookups_when_it_gets_resolvconf_and_dnsmasq(plain: Machine) -> None:
    """Both in one run of apt-get: from resolvconf's link to nowhere until dnsmasq is registered, and knows."""
    plain.start_sampler()
    plain.install("resolvconf", "dnsmasq")
    plain.wait_for_lookups(MANY)
    lookups = plain.stop_sampler()

    assert tally(lookups).failed > 0


def test_plain_host_loses_dns_when_it_gets_resolvconf_alone(plain: Machine) -> None:
    """Its link names no server at all until the next lease or boot."""
    plain.start_sampler()
    plain.install("resolvconf")
    plain.wait_for_lookups(MANY)
    lookups = plain.stop_sampler()

    assert {LOST} == last_errors(lookups)
    assert [] == plain.nameservers()
