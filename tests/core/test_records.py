"""Twin of dnsguard/core/records.py."""

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnsguard.core.records import in_order, is_dnsmasq, record_of

FACTORY = """# interface-order(5)
lo.inet6
lo.inet
lo.@(dnsmasq|pdnsd)
lo.!(pdns|pdns-recursor)
lo
tun*
em+([0-9])?(_+([0-9]))*
p+([0-9])p+([0-9])?(_+([0-9]))*
en+([bcosxpP])*([^.]).inet6
en+([bcosxpP])*([^.]).@(dhclient|dhcpcd|pump|udhcpc)
en+([bcosxpP])*
@(br|eth)*([^.]).inet
@(br|eth)*
*
"""
NAMES = (
    *("eth0.inet", "eth0.dhclient", "lo.dnsmasq", "lo.unbound", "lo.pdns", "lo", "enp3s0.inet6"),
    *("enp3s0.dhclient", "em1", "em1_2", "p1p2", "tun0", "zzz", "br0.inet", "lo.inet", "original.resolvconf"),
)


def test_the_factory_order_puts_local_resolvers_first_and_strangers_last() -> None:
    """The order decides which server libc asks first."""
    expected = (
        *("lo.inet", "lo.dnsmasq", "lo.unbound", "lo", "tun0", "em1", "em1_2", "p1p2"),
        *("enp3s0.inet6", "enp3s0.dhclient", "br0.inet", "eth0.inet", "eth0.dhclient"),
        *("lo.pdns", "original.resolvconf", "zzz"),
    )

    assert expected == in_order(NAMES, FACTORY)


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_itself_agrees(tmp_path_factory: pytest.TempPathFactory) -> None:
    """list-records is bash; what it would list, in its order, is the truth."""
    folder = tmp_path_factory.mktemp("interface")
    for name in NAMES:
        (folder / name).write_text("x")
    patterns = " ".join(line for line in FACTORY.split("\n") if line and not line.startswith("#"))
    listing = f"for f in {patterns}; do test -s $f && echo $f; done; true"
    script = f"export LC_ALL=C; shopt -s extglob nullglob; cd {folder}\n{listing}"
    listed = subprocess.run(["bash", "-O", "extglob", "-c", script], check=True, capture_output=True, text=True)

    assert tuple(dict.fromkeys(listed.stdout.split())) == in_order(NAMES, FACTORY)


def test_comments_paths_and_hidden_patterns_are_passed_over() -> None:
    """As the sed in list-records does."""
    assert ("b",) == in_order(["a", "b", ".c"], "#a\n../a\n~a\n.c\n  b  # why\n\n")


def test_a_name_that_no_pattern_admits_is_left_out() -> None:
    """An administrator may leave an interface out on purpose."""
    assert ("eth0",) == in_order(["eth0", "wlan0"], "eth*")


def test_without_a_patterns_file_every_record_counts() -> None:
    """A host must not lose its servers because one file in /etc cannot be read."""
    assert ("lo.dnsmasq", "tun0", "eth0") == in_order(["eth0", "tun0", "lo.dnsmasq"], None)


def test_brackets_may_be_negated_and_may_be_nonsense() -> None:
    """`[!…]` is bash's negation; a bracket that is none stands for itself."""
    assert ("b1",) == in_order(["a1", "b1"], "[!a]1\n")
    assert ("b1",) == in_order(["a1", "b1"], "[^a]1\n")
    assert ("[x",) == in_order(["[x"], "[x\n")
    assert () == in_order(["x"], "[z-a]\n")


def test_not_this_needs_what_follows() -> None:
    """`!(a)b` is any name that ends in b but for ab."""
    assert ("b", "cb") == in_order(["ab", "b", "cb", "cc"], "!(a)b\n")


@given(st.lists(st.text(min_size=1)), st.text())
def test_nothing_but_an_order_ever_comes_out(names: list[str], patterns: str) -> None:
    """Whatever an administrator typed, the look at the sources goes on."""
    ordered = in_order(names, patterns)

    assert set(ordered) <= set(names)


@pytest.mark.parametrize(
    ("unit", "record"),
    [
        ("dnsmasq.service", "lo.dnsmasq"),
        ("dnsmasq@two.service", "lo.dnsmasq.two"),
        ("dnsmasq", "lo.dnsmasq"),
        ("", ""),
        ("my-dnsmasq.service", ""),
    ],
)
def test_an_instance_has_a_record_of_its_own(unit: str, record: str) -> None:
    """Debian's script names it; whoever starts dnsmasq in another way may name it otherwise."""
    assert record == record_of(unit)
    assert not record or is_dnsmasq(record)


@pytest.mark.parametrize("name", ["lo.dnsmasquerade", "eth0.dnsmasq", "lo.unbound"])
def test_another_name_is_not_dnsmasqs(name: str) -> None:
    """Its servers count."""
    assert not is_dnsmasq(name)
