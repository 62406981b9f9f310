"""Twin of dnsguard/core/resolvconf.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnsguard.core.resolvconf import ResolvConf, canonical, is_loopback, parse, render

FULL = """# made by hand
nameserver 192.0.2.53
nameserver 2001:DB8::53
nameserver fe80::1%eth0
domain old.example
search example.net example.com
options edns0 timeout:2
options rotate
sortlist 192.0.2.0/255.255.255.0
; the end
"""


def test_everything_that_libc_knows_is_read() -> None:
    """As resolv.conf(5) has it; the last of `domain` and `search` wins."""
    expected = ResolvConf(
        nameservers=("192.0.2.53", "2001:db8::53", "fe80::1%eth0"),
        search=("example.net", "example.com"),
        options=("edns0", "timeout:2", "rotate"),
        rest=("sortlist 192.0.2.0/255.255.255.0",),
    )

    assert expected == parse(FULL)


def test_what_was_rendered_reads_back_the_same() -> None:
    """Nothing that an administrator wrote is lost on the way."""
    conf = parse(FULL)

    assert conf == parse(render(conf, header=("why", "")))


def test_a_header_is_comment() -> None:
    """The file explains itself without changing what it says."""
    assert "# two words\n#\nnameserver 192.0.2.1\n" == render(ResolvConf(("192.0.2.1",)), ("two words", ""))


def test_libc_would_not_ask_a_fourth_server() -> None:
    """MAXNS is 3."""
    four = ResolvConf(tuple(f"192.0.2.{last}" for last in range(1, 5)))

    assert 3 == render(four).count("nameserver")


@pytest.mark.parametrize(
    "line",
    ["nameserver", "nameserver one.example", "nameserver 300.1.1.1", "nameserver 192.0.2.", "name\x00server 1.2.3.4"],
)
def test_a_line_that_is_no_good_is_named_and_passed_over(line: str) -> None:
    """One bad line must not cost the servers on the others."""
    conf = parse(f"nameserver 192.0.2.1\n{line}\nnameserver 192.0.2.2\n")

    assert ("192.0.2.1", "192.0.2.2") == conf.nameservers
    assert conf.complaints[0].startswith("line 2: ")


def test_a_keyword_that_does_not_start_its_line_is_none() -> None:
    """glibc compares from the first column."""
    assert () == parse(" nameserver 192.0.2.1\n").nameservers


def test_domain_is_one_word_and_an_empty_search_is_none() -> None:
    """glibc reads the first word of `domain` only."""
    assert ("a.example",) == parse("domain a.example b.example\n").search
    assert () == parse("search\n").search


def test_the_same_server_twice_is_one() -> None:
    """Also when it is spelled in two ways."""
    assert ("2001:db8::1",) == parse("nameserver 2001:db8::1\nnameserver 2001:DB8:0::1\n").nameservers


def test_a_windows_line_end_is_forgiven() -> None:
    """Somebody copied the file."""
    assert ("192.0.2.1",) == parse("nameserver 192.0.2.1\r\n").nameservers


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("FE80::1%eth0", "fe80::1%eth0"),
        ("fe80::1%et h0", None),
        ("example.net", None),
        ("", None),
    ],
)
def test_an_address_has_one_spelling(written: str, expected: str | None) -> None:
    """Sets of servers are compared by it."""
    assert expected == canonical(written)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.53", "::1", "0.0.0.0", "::", "::ffff:127.0.0.1"])
def test_loopback_is_never_a_server_of_somebody_else(address: str) -> None:
    """The stub of systemd-resolved is one too."""
    assert is_loopback(address)


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "fe80::1%lo", "nonsense"])
def test_other_addresses_are_not_loopback(address: str) -> None:
    """Whether they are this host's own is for the kernel to say."""
    assert not is_loopback(address)


@given(st.text())
def test_no_text_is_an_error(text: str) -> None:
    """Whatever a file says, the look goes on, and what is kept can be written and read again."""
    conf = parse(text)
    again = parse(render(conf))

    assert conf.nameservers[:3] == again.nameservers
    assert (conf.search, conf.options, conf.rest) == (again.search, again.options, again.rest)


@given(st.text(alphabet="nameserver domsacoptil:.0123456789%\t\n #;"))
def test_no_text_that_looks_like_the_real_thing_is_an_error(text: str) -> None:
    """The same, nearer to what files say."""
    conf = parse(text)

    assert (conf.search, conf.options) == (parse(render(conf)).search, parse(render(conf)).options)
