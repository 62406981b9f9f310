"""Twin of dnsguard/core/nature.py: what follows from how a dnsmasq is configured."""

from dataclasses import replace

import pytest

from dnsguard.core.nature import Nature, standby_rule
from dnsguard.core.vocabulary import Standby

PLAIN = Nature()


@pytest.mark.parametrize(
    ("nature", "word"),
    [
        (Nature(validates=True), "DNSSEC"),
        (Nature(keeps=("server=/corp/10.0.0.1 (on its command line)", "cname=a,b (f:1)")), "server=/corp/10.0.0.1"),
        (Nature(servers_file="/etc/servers"), "servers-file=/etc/servers"),
        (Nature(unread=("/etc/dnsmasq.d/secret: it cannot be read: Permission denied",)), "Permission denied"),
    ],
)
def test_no_upstream_stands_behind_one_that_is_more_than_a_cache(nature: Nature, word: str) -> None:
    """Going on would bypass validation or carry internal names outside; and in doubt it might."""
    used, why = standby_rule(Standby.AUTO, nature)

    assert not used
    assert word in why
    assert (True, 'standby = "yes"') == standby_rule(Standby.YES, nature)


def test_an_upstream_stands_behind_a_plain_one_unless_the_operator_says_no() -> None:
    """And behind none that was not met yet."""
    assert standby_rule(Standby.AUTO, PLAIN)[0]
    assert (False, 'standby = "no"') == standby_rule(Standby.NO, PLAIN)
    assert not standby_rule(Standby.AUTO, None)[0]


@pytest.mark.parametrize(
    ("nature", "word"),
    [
        (Nature(port=0), "port=0"),
        (Nature(port=5353), "port=5353"),
        (Nature(listens=("192.0.2.2",)), "listen-address=127.0.0.1"),
        (Nature(excepted=("lo",)), "listen-address=127.0.0.1"),
        (Nature(excepted=("l*",), interfaces=("eth0",)), "listen-address=127.0.0.1"),
    ],
)
def test_libc_is_never_given_one_that_it_cannot_reach(nature: Nature, word: str) -> None:
    """The words say what to do."""
    assert word in nature.bar("127.0.0.1", 53)


@pytest.mark.parametrize(
    ("nature", "address", "port"),
    [
        (PLAIN, "127.0.0.1", 53),
        (Nature(listens=("127.0.0.1", "192.0.2.2"), excepted=("lo",)), "127.0.0.1", 53),
        (Nature(listens=("0:0::1",)), "::1", 53),
        (Nature(interfaces=("eth0",)), "127.0.0.1", 53),
        (Nature(interfaces=("eth0",), listens=("192.0.2.2",)), "127.0.0.1", 53),
        (Nature(interfaces=("eth0",)), "192.0.2.2", 53),
        (Nature(excepted=("lo",)), "192.0.2.2", 53),
        (Nature(excepted=("eth*",)), "127.0.0.1", 53),
        (Nature(port=5353), "127.0.0.1", 5353),
    ],
)
def test_what_is_not_certain_does_not_bar(nature: Nature, address: str, port: int) -> None:
    """Which addresses an interface has is not in the configuration: there the questions decide."""
    assert "" == nature.bar(address, port)


@pytest.mark.parametrize(
    ("nature", "notes"),
    [
        (PLAIN, 0),
        (Nature(no_resolv=True), 1),
        (Nature(resolv_files=()), 1),
        (Nature(no_resolv=True, no_ident=True, no_poll=True), 3),
    ],
)
def test_what_else_an_operator_should_know_is_noted(nature: Nature, notes: int) -> None:
    """No-resolv, no-ident, no-poll: each changes what the guard can expect."""
    assert notes == len(nature.notes)
    assert nature.has_own_servers == (nature.no_resolv or not nature.resolv_files)
    assert replace(nature, port=0).notes == nature.notes


def test_which_file_it_reads_is_noted_if_that_is_not_the_expected_one() -> None:
    """Ours, or one that nobody looks at."""
    (mirror,), (stray,) = Nature(mirror="/etc/resolv.conf").notes, Nature(stray="/etc/upstreams").notes

    assert "it reads what is published (/etc/resolv.conf)" in mirror
    assert "it reads /etc/upstreams, and not [paths] upstream_file" in stray


def test_loop_detection_is_noted() -> None:
    """What dnsmasq shows then is not whom it asks."""
    assert "dns-loop-detect" in Nature(detects_loops=True).notes[0]
