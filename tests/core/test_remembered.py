"""Twin of dnsguard/core/remembered.py: when the last known list may be used again."""

import pytest

from dnsguard.core import resolvconf
from dnsguard.core.remembered import is_of, says_more, text_of
from dnsguard.core.resolvconf import ResolvConf

CONF = ResolvConf(("192.0.2.53", "2001:db8::53"), ("example.test",), ("edns0",))
HOME = ("eth0 192.0.2.1 02:00:00:00:00:01", "eth0 fe80::1 ?")


def test_what_is_kept_is_a_resolv_conf() -> None:
    """A person can read it, and so can the parser that reads all the others."""
    assert CONF == resolvconf.parse(text_of(CONF, HOME))


@pytest.mark.parametrize(
    ("networks", "expected"),
    [
        (HOME, True),
        (("eth0 192.0.2.1 ?", "eth0 fe80::1 ?"), True),
        (("eth0 192.0.2.1 ?", "eth0 fe80::1 02:00:00:00:00:01"), True),
        # Another router behind the same address: the café next door.
        (("eth0 192.0.2.1 02:00:00:00:00:99", "eth0 fe80::1 ?"), False),
        (("wlan0 192.0.2.1 ?", "eth0 fe80::1 ?"), False),
        (("eth0 192.0.2.1 ?",), False),
        (("eth0 192.0.2.1 ?", "eth0 fe80::1 ?", "tun0 10.0.0.1 ?"), False),
        # Nothing is seen of the networks: nothing is known of them.
        ((), False),
    ],
)
def test_it_is_of_use_in_the_same_networks_only(networks: tuple[str, ...], expected: bool) -> None:
    assert expected == is_of(text_of(CONF, HOME), networks)


@pytest.mark.parametrize("text", ["", "nameserver 192.0.2.53\n", "# networks: \n", "# networks: eth0\n"])
def test_a_file_that_says_nothing_of_its_networks_is_of_no_use(text: str) -> None:
    """A power cut, or another hand."""
    assert not is_of(text, HOME)
    assert not is_of(text, ())


def test_it_is_kept_again_when_more_is_known() -> None:
    """A hardware address that was learned, or another network; one that was forgotten is no news."""
    less = tuple(f"{line.rpartition(' ')[0]} ?" for line in HOME)

    assert says_more((), HOME)
    assert says_more(less, HOME)
    assert not says_more(HOME, less)
    assert not says_more(HOME, HOME)
    assert says_more(HOME, HOME[:1])
