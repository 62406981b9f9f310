"""Twin of dnsguard/core/servers.py: whom a line of dnsmasq's configuration asks."""

import pytest

from dnsguard.core.servers import Server, keeps_names, server_of


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("server", "192.0.2.53", Server("192.0.2.53")),
        ("server", "127.0.0.1#5335", Server("127.0.0.1", 5335)),
        ("server", " 127.0.0.1 # 54 @eth0", Server("127.0.0.1", 54)),
        ("server", "192.0.2.53@192.0.2.2#1024", Server("192.0.2.53")),
        ("server", "0:0::1#54", Server("::1", 54)),
        ("server", "fe80::1%eth0", Server("fe80::1%eth0")),
        ("server", "/corp/lan/10.0.0.1#54", Server("10.0.0.1", 54, routed=True)),
        ("local", "//10.0.0.1", Server("10.0.0.1", routed=True)),
        ("server", "/#/10.0.0.1", Server("10.0.0.1")),
        ("server", "/#/corp/10.0.0.1", Server("10.0.0.1", routed=True)),
        ("rev-server", "10.0.0.0/8,10.0.0.1#54", Server("10.0.0.1", 54, routed=True)),
        ("server", "192.0.2.53#domain", Server("192.0.2.53")),
    ],
)
def test_a_server_is_an_address_a_port_and_perhaps_a_zone(name: str, value: str, expected: Server) -> None:
    """As dnsmasq itself takes the line apart."""
    assert expected == server_of(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("server", ""), ("local", "/corp/"), ("server", "/corp/#"), ("server", "dns.example"), ("rev-server", "10/8")],
)
def test_where_nobody_is_asked_there_is_no_server(name: str, value: str) -> None:
    """Nor for a host's name, which dnsmasq alone looks up."""
    assert server_of(name, value) is None


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("server", "/corp/10.0.0.1", True),
        ("local", "/corp/", True),
        ("local", "", True),
        ("server", "/corp/#", False),
        ("server", "/#/10.0.0.1", False),
        ("server", "10.0.0.1", False),
        ("domain", "corp, 10.0.0.0/24, local", True),
        ("domain", "corp", False),
        ("port", "53", False),
    ],
)
def test_who_sends_names_elsewhere_or_nowhere_keeps_them(name: str, value: str, expected: bool) -> None:
    """The standby line hangs on it."""
    assert expected == keeps_names(name, value)
