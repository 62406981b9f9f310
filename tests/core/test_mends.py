"""Each mend is one line for a shell, and what comes from outside cannot end it."""

import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dnsguard.core import mends
from dnsguard.core.host import Thing
from dnsguard.core.owner import Provider
from dnsguard.core.upstreams import Source
from tests.core.hosts import BASE, OTHER, UPSTREAM, dnsmasq, host, sources


@pytest.mark.parametrize("word", ["plain", "/etc/dnsmasq.conf", "", "a b", "it's", "$(reboot)", "a;b", "*", "ä"])
def test_quoted_word_is_one_word_to_a_shell(word: str) -> None:
    """A record of resolvconf may have any name."""
    assert [word] == shlex.split(mends.quoted(word))


@pytest.mark.parametrize(
    ("pages", "expected"),
    [
        ({"a": "# port\nport=5353 # here\n"}, "sed -i '2s/^/#/' /etc/dnsmasq.d/a && systemctl restart dnsmasq"),
        ({"a": "cache-size=0\n"}, ""),
        ({"a": "\n port # why\n"}, "sed -i '2s/^/#/' /etc/dnsmasq.d/a && systemctl restart dnsmasq"),
        (
            {"a": "port = 1", "b c": "x\nport=2"},
            "sed -i '1s/^/#/' /etc/dnsmasq.d/a && sed -i '2s/^/#/' '/etc/dnsmasq.d/b c' && systemctl restart dnsmasq",
        ),
    ],
)
def test_option_is_made_a_comment_wherever_it_stands(pages: dict[str, Any], expected: str) -> None:
    """And dnsmasq is started again: it reads its files once."""
    assert expected == mends.remove_option(host(dnsmasq=dnsmasq(**pages)), "port")


def typed(command: str) -> None:
    """Run a mend in a shell, as far as it changes files."""
    subprocess.run(["sh", "-c", command.partition(" && ")[0]], check=True)


TWO = f"nameserver {UPSTREAM}\nnameserver {OTHER}\n"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"records": {"eth0.inet": f"nameserver {UPSTREAM}\n"}}, "resolvconf -d eth0.inet"),
        ({"records": {"a b": TWO}}, "sed 1d '/run/resolvconf/interface/a b' | resolvconf -a 'a b'"),
        ({"records": {"eth0.inet": f"nameserver {OTHER}\n"}}, ""),
    ],
)
def test_server_of_a_record_is_forgotten_by_resolvconf(changes: dict[str, Any], expected: str) -> None:
    """The record is announced again without it, or taken back if it named nothing else."""
    assert expected == mends.forget(host(sources(**changes)), UPSTREAM)


def test_server_of_the_administrator_s_file_is_forgotten_there() -> None:
    """`base` is a file, and resolvconf reads it when it is told to."""
    read = sources({}, base=Source(BASE, TWO))

    assert f"sed -i 1d {BASE} && resolvconf -u" == mends.forget(host(read), UPSTREAM)


def test_server_of_dnsmasq_s_own_is_forgotten_there() -> None:
    """dnsmasq.conf names it, and nobody else."""
    seen = host(sources({}), dnsmasq=dnsmasq(own=f"server={OTHER}\nserver={UPSTREAM}\n"))

    assert "sed -i '2s/^/#/' /etc/dnsmasq.d/own && systemctl restart dnsmasq" == mends.forget(seen, UPSTREAM)


@pytest.mark.parametrize(
    ("address", "text", "expected"),
    [
        (
            UPSTREAM,
            "nameserver 192.0.2.153\nnameserver\t192.0.2.53 \n#nameserver 192.0.2.53\nnameserver 192.0.2.53 # office\n",
            "nameserver 192.0.2.153\n#nameserver 192.0.2.53\n",
        ),
        ("2001:db8::1", "options edns0\nnameserver 2001:DB8:0::1\n", "options edns0\n"),
        (UPSTREAM, "nameserver ::ffff:192.0.2.53", ""),
    ],
)
def test_the_line_that_is_deleted_is_that_of_the_server_alone(
    tmp_path: Path, address: str, text: str, expected: str
) -> None:
    """However it is spelt there. The real sed."""
    file = tmp_path / "base"
    file.write_text(text)
    typed(mends.forget(host(sources({}, base=Source(str(file), text))), address))

    assert expected == file.read_text()


@pytest.mark.parametrize("line", ["server=2001:DB8::1 # office", "server = 2001:db8::1#53"])
def test_server_of_dnsmasq_s_own_is_found_however_it_is_spelt(line: str) -> None:
    """One that is asked for some names only is another matter."""
    seen = host(sources({}), dnsmasq=dnsmasq(own=f"server=/lan/2001:db8::1\n{line}\n"))

    assert "sed -i '2s/^/#/' /etc/dnsmasq.d/own && systemctl restart dnsmasq" == mends.forget(seen, "2001:db8::1")


def test_server_that_nobody_names_is_not_forgotten() -> None:
    """An empty resolv.conf has libc ask 127.0.0.1: no line can be taken out."""
    read = sources({}, attached=False, etc=Source("/etc/resolv.conf", ""))

    assert "" == mends.forget(host(read, resolv_conf=Thing("file", "", "")), "127.0.0.1")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("{0}:7: fall = 0", "sed -i '7s/^/#/' {0} && systemctl restart dnsguard"),
        ("{0}: Invalid value (at line 3, column 8)", "sed -i '3s/^/#/' {0} && systemctl restart dnsguard"),
        ("{0}: Expected ']' (at end of document)", "mv {0} {0}.bad && systemctl restart dnsguard"),
    ],
)
def test_bad_setting_is_made_a_comment(error: str, expected: str) -> None:
    """Its default is in force then; the whole file goes if no line is named."""
    path = "/etc/dnsguard/dnsguard.toml"

    assert expected.format(path) == mends.mend_settings(host(settings_error=error.format(path)))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('[health]\nquestions = ["a..b A"] # why\n[guard]\n', '[health]\n#questions = ["a..b A"] # why\n[guard]\n'),
        (
            'health.questions=[\n  ". SOA",\n  "a..b A"\n]\nx = [1]\n',
            '#health.questions=[\n#  ". SOA",\n#  "a..b A"\n#]\nx = [1]\n',
        ),
    ],
)
def test_bad_questions_are_made_a_comment_wherever_their_list_ends(tmp_path: Path, before: str, after: str) -> None:
    """Who knows that they cannot be asked does not know their line. The real sed."""
    file = tmp_path / "dnsguard.toml"
    file.write_text(before)
    seen = host(settings_path=str(file), settings_error="[health] questions: 'a..b A': an empty label")
    typed(mends.mend_settings(seen))

    assert after == file.read_text()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"network_manager": True}, "nmcli device reapply eth0"),
        ({}, "ifup --force eth0"),
        ({"programs": frozenset()}, "networkctl renew eth0"),
    ],
)
def test_network_is_asked_again_by_who_keeps_it(changes: dict[str, Any], expected: str) -> None:
    """Whoever announced the servers can announce them again."""
    assert expected == mends.renew(host(**changes))


@pytest.mark.parametrize(
    ("programs", "expected"),
    [
        (["/usr/sbin/chronyd"], "systemctl restart chrony && chronyc makestep"),
        (["/usr/sbin/ntpd"], "systemctl restart ntpsec"),
        (["/usr/sbin/ntpd", "/usr/sbin/openntpd"], "systemctl restart openntpd"),
        (
            ["/usr/lib/systemd/systemd-timesyncd"],
            "timedatectl set-ntp true && systemctl restart systemd-timesyncd",
        ),
        ([], "apt-get install --yes systemd-timesyncd"),
    ],
)
def test_clock_is_set_by_who_keeps_it(programs: list[str], expected: str) -> None:
    """Or somebody who does is installed; apt would remove another one for it."""
    assert expected == mends.set_clock(host(programs=frozenset(programs)))


def test_openresolv_s_records_lie_elsewhere() -> None:
    """In `interfaces`, as its own scripts have it."""
    seen = host(sources({"eth0": TWO}), provider=Provider.OPENRESOLV)

    assert "/run/resolvconf/interfaces/eth0" in mends.forget(seen, UPSTREAM)
