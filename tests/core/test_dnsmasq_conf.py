"""Twin of dnsguard/core/dnsmasq_conf.py: the rules of dnsmasq 2.90's option.c, and dnsmasq itself to compare with."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnsguard.core.dnsmasq_conf import (
    CONF_FILE,
    MAX_FILES,
    MAX_LINE,
    MAX_SERVERS,
    NOT_REGULAR,
    Names,
    Page,
    command_line,
    foresee,
    lines,
    understand,
)
from dnsguard.core.nature import Nature
from dnsguard.core.servers import Server

DEBIAN = (
    *("-x", "/run/dnsmasq/dnsmasq.pid", "-u", "dnsmasq", "-r", "/run/dnsmasq/resolv.conf"),
    *("-7", "/etc/dnsmasq.d,.dpkg-dist,.dpkg-old,.dpkg-new", "--local-service"),
    "--trust-anchor=.,20326,8,2,E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D",
)


class Shelf:
    """Files that are nowhere but here; a text is its own identity."""

    def __init__(self, files: Mapping[str, str | Page] | None = None) -> None:
        self.files = dict(files or {})

    def page(self, path: str) -> Page:
        found = self.files.get(path, Page())
        return Page(found, (1, hash(path))) if isinstance(found, str) else found

    def names(self, directory: str) -> Names:
        inside = [path[len(directory) + 1 :] for path in self.files if path.startswith(f"{directory}/")]
        return Names(tuple(inside)) if inside else Names(trouble="No such file or directory")


def of(*words: str, **files: str) -> Nature:
    """The nature of a dnsmasq with these words; `conf` is /etc/dnsmasq.conf."""
    return understand(words, Shelf({CONF_FILE: files.get("conf", "")}))


@pytest.mark.parametrize(
    ("instance", "path", "text", "binds"),
    [
        ("", "/etc/dnsmasq.conf", "bind-dynamic\n", True),
        ("lan", "/etc/dnsmasq.d/lan", "bind-interfaces # why\n", True),
        ("", "/etc/dnsmasq.d/lan.dpkg-old", "bind-dynamic\n", False),
        ("", "/etc/default/dnsmasq", '#DNSMASQ_OPTS=""\nDNSMASQ_OPTS="--bind-interfaces -a 127.0.0.1"\n', True),
        ("", "/etc/default/dnsmasq", "DNSMASQ_OPTS=-z", True),
        ("", "/etc/default/dnsmasq", '#DNSMASQ_OPTS="-z"\n', False),
        ("lan", "/etc/default/dnsmasq", "DNSMASQ_OPTS=-z", False),
        ("lan", "/etc/default/dnsmasq.lan", "DNSMASQ_OPTS=-z", True),
    ],
)
def test_dnsmasq_that_does_not_run_is_foreseen_by_debians_files(
    instance: str, path: str, text: str, binds: bool
) -> None:  # fmt: skip
    """What its units would have it read; an instance has defaults of its own."""
    nature = foresee(Shelf({"/etc/dnsmasq.d/README": "", path: text}), instance)

    assert (binds, ()) == (nature.binds, nature.unread)


def test_debians_dnsmasq_is_plain() -> None:
    """A trust anchor, which Debian always passes, validates nothing by itself."""
    nature = understand(
        DEBIAN, Shelf({"/etc/dnsmasq.d/README": "# Nothing here.\n", CONF_FILE: "#dnssec\n#port=5353\n"})
    )

    assert Nature(resolv_files=("/run/dnsmasq/resolv.conf",)) == nature
    assert "" == nature.stands_alone


FLAGS = [
    ("--dnssec", "dnssec", {"validates": True}),
    ("-R", "no-resolv", {"no_resolv": True}),
    ("-n", "no-poll", {"no_poll": True}),
    ("--no-ident", "no-ident", {"no_ident": True}),
    ("-p5353", "port=5353", {"port": 5353}),
    ("--port=0", "port = 0", {"port": 0}),
    ("-a127.0.0.1,::1", "listen-address=127.0.0.1 , ::1", {"listens": ("127.0.0.1", "::1")}),
    ("-ieth0", "interface=eth0", {"interfaces": ("eth0",)}),
    ("-Ilo", "except-interface=lo", {"excepted": ("lo",)}),
    ("-r/a", "resolv-file=/a", {"resolv_files": ("/a",)}),
    ("--resolv-file=", "resolv-file=", {"resolv_files": ()}),
    ("--servers-file=/s", 'servers-file="/s"', {"servers_file": "/s", "may_ask_others": True}),
    ("-z", "bind-interfaces", {"binds": True}),
    ("--bind-dynamic", "bind-dynamic", {"binds": True}),
    ("-o", "strict-order", {"is_strict": True}),
    ("--dns-loop-detect", "dns-loop-detect", {"detects_loops": True}),
]


@pytest.mark.parametrize(("word", "line", "expected"), FLAGS)
def test_an_option_is_the_same_on_the_command_line_and_in_a_file(
    word: str, line: str, expected: dict[str, object]
) -> None:
    """Every option that matters, in both."""
    nature = Nature(**expected)  # type: ignore[arg-type]

    assert nature == of(word) == of(conf=f"{line}\n")


KEEPING = [
    *("server=/corp/10.0.0.1", "server=/corp/example.com/10.0.0.1#5353", "server=//10.0.0.1", "server=/corp/"),
    *("local=/corp/", "local=/#/", "local=", "rev-server=10.0.0.0/8,10.0.0.1", "address=/corp/10.0.0.1"),
    *("address=/#/10.0.0.1", "address=10.0.0.1", "domain=lan,10.0.0.0/24,local", "dhcp-range=10.0.0.2,10.0.0.9"),
    *("host-record=a.corp,10.0.0.1", "addn-hosts=/etc/more", "cname=a,b", "enable-dbus", "enable-dbus=org.other"),
]
PLAIN = [
    *("server=10.0.0.1", "server=10.0.0.1#5353@eth0", "server=/#/10.0.0.1", "server=/corp/#", "domain=lan"),
    *(
        "stop-dns-rebind",
        "filter-rr=ANY",
        "bogus-priv",
        "domain-needed",
        "bogus-nxdomain=1.2.3.4",
        "alias=1.2.3.4,1.1.1.1",
    ),
    *("cache-size=1000", "dnssec-check-unsigned=no", "proxy-dnssec", "local-ttl=5", "port-limit=2", "conf-file="),
]


@pytest.mark.parametrize("line", KEEPING)
def test_who_sends_names_elsewhere_or_knows_some_of_its_own_keeps_them(line: str) -> None:
    """Going on to an upstream would carry those names outside."""
    shown = line.rstrip("=")

    assert (f"{shown} ({CONF_FILE}:2)",) == of(conf=f"\n{line}\n").keeps
    assert (f"{shown} (on its command line)",) == of(f"--{line}").keeps


@pytest.mark.parametrize("line", PLAIN)
def test_who_only_trims_answers_does_not(line: str) -> None:
    """And a server for all names is a server."""
    elsewhere = line.startswith("server=") and line != "server=/corp/#"

    assert Nature(may_ask_others=elsewhere) == of(conf=line) == of(f"--{line}")


def test_servers_at_this_host_are_kept_with_their_place() -> None:
    """They may lead back to dnsmasq; whether they do is for loops.py."""
    own = Server("192.0.2.2", 53, False, "server=192.0.2.2 (on its command line)")
    stub = Server("127.0.0.53", 5353, True, f"local=/corp/127.0.0.53#5353 ({CONF_FILE}:1)")
    conf = "local=/corp/127.0.0.53#5353\nrev-server=10.0.0.0/8,192.0.2.53\n"
    nature = understand(["-S192.0.2.2"], Shelf({CONF_FILE: conf}), "192.0.2.2".__eq__)

    assert ((own, stub), False) == (nature.servers, nature.may_ask_others)


@pytest.mark.parametrize("conf", ["server=192.0.2.53", "server=dns.example", "servers-file=/s", "enable-dbus"])
def test_who_has_or_may_get_other_servers_is_known_as_such(conf: str) -> None:
    """A host's name is looked up when dnsmasq starts, the rest may come at any time."""
    assert of(conf=f"{conf}\nserver=127.0.0.1").may_ask_others
    assert not of(conf="server=/corp/192.0.2.53\nserver=127.0.0.1").may_ask_others


def test_of_many_servers_at_this_host_no_more_are_kept_than_can_be_looked_at() -> None:
    """And what was not kept may be a good one."""
    nature = of(conf="server=127.0.0.1\n" * (MAX_SERVERS + 1))

    assert (MAX_SERVERS, True) == (len(nature.servers), nature.may_ask_others)


@pytest.mark.parametrize("line", [*(line for _, line, _ in FLAGS), *KEEPING, *PLAIN])
def test_dnsmasq_itself_takes_these_lines(line: str, tmp_path: Path) -> None:
    """A rule about a line that dnsmasq refuses would be a rule about nothing."""
    said = checked(tmp_path, f"{line}\n")

    # `--dnssec` alone wants a trust anchor, and `local=` is refused by some versions: what counts is the syntax.
    assert 0 == said.returncode or "dnssec" in line, said.stderr


def checked(folder: Path, text: str, *words: str) -> subprocess.CompletedProcess[str]:
    """`dnsmasq --test`, which reads and does nothing."""
    program = shutil.which("dnsmasq", path="/usr/sbin:/usr/bin")
    if program is None:
        pytest.skip("dnsmasq-base is not installed")
    (folder / "conf").write_text(text)
    command = [program, "--test", f"--conf-file={folder / 'conf'}", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--server /corp/10.0.0.1 --port 0", [("server", "/corp/10.0.0.1"), ("port", "0")]),
        ("-nRp 5353", [("no-poll", ""), ("no-resolv", ""), ("port", "5353")]),
        ("-S/corp/10.0.0.1 -k", [("server", "/corp/10.0.0.1"), ("k", "")]),
        ("--no-res --listen=::1", [("no-resolv", ""), ("listen-address", "::1")]),
        ("--log-facility - -n", [("log-facility", "-"), ("no-poll", "")]),
        ("--unheard-of x -- --dnssec", [("unheard-of", "x")]),
        ("-p", [("port", "")]),
        ("blank -", []),
    ],
)
def test_words_are_taken_apart_as_getopt_would(words: str, expected: list[tuple[str, str]]) -> None:
    """Clusters, values in the same word or the next, abbreviations, and an end of options."""
    assert expected == list(command_line(words.split()))


def test_a_file_is_read_after_the_command_line_and_overrides_it() -> None:
    """The first -C takes the place of /etc/dnsmasq.conf; further ones are read on the spot."""
    shelf = Shelf({"/one": "port=1", "/two": "interface=b", CONF_FILE: "dnssec"})
    nature = understand(("-C", "/one", "-i", "a", "-C", "/two", "-p", "2", "-i", "c", "-C", ""), shelf)

    assert (1, ("a", "b", "c"), False) == (nature.port, nature.interfaces, nature.validates)
    assert understand(("-C", "", "-n"), shelf).validates


TEXT = r"""
port=5353 # a comment
 # another: dnssec
#dnssec
server=/a#b/10.0.0.1
server = "/c d#e/10.0.0.2"   # told
address="/tab\t\"\q/1.1.1.1"
"""


def test_lines_are_read_as_dnsmasq_reads_them(tmp_path: Path) -> None:
    """A `#` begins a comment after a blank only, and none in quotes."""
    expected = [
        (2, "port=5353"),
        (5, "server=/a#b/10.0.0.1"),
        (6, "server = /c d#e/10.0.0.2"),
        (7, 'address=/tab\t"\\q/1.1.1.1'),
    ]

    assert expected == list(lines(TEXT))
    assert [(1, None)] == list(lines('interface="eth0'))
    assert "missing" in checked(tmp_path, 'interface="eth0\n').stderr


def test_a_long_line_is_two(tmp_path: Path) -> None:
    """dnsmasq reads MAXDNAME - 1 bytes at once: what stands beyond is an option of its own."""
    text = "#" * MAX_LINE + "no-such-option\n"

    assert [(1, "no-such-option")] == list(lines(text))
    assert "bad option" in checked(tmp_path, text).stderr
    assert 0 == checked(tmp_path, "#" + text).returncode or "bad option" in checked(tmp_path, "#" + text).stderr


NAMES = ["a.conf", "b", "c.conf~", ".d", "#e#", "f.dpkg-old", ".conf", "x.conf.bak"]


@pytest.mark.parametrize(
    ("suffixes", "expected"),
    [
        ("", ["a.conf", "b", "f.dpkg-old", "x.conf.bak"]),
        (",.dpkg-dist,.dpkg-old,.dpkg-new", ["a.conf", "b", "x.conf.bak"]),
        (",*.conf", ["a.conf"]),
        (",*,.bak", ["a.conf", "b", "f.dpkg-old"]),
        (", *.conf , *.bak ,a.conf", ["a.conf", "x.conf.bak"]),
    ],
)
def test_of_a_directory_the_same_files_are_read(suffixes: str, expected: list[str], tmp_path: Path) -> None:
    """Each file names an interface, and dnsmasq is shown them one by one with a fault in it."""
    folder = tmp_path / "conf.d"
    folder.mkdir()
    shelf = Shelf({f"{folder}/{name}": f"interface={name.replace('#', '')}" for name in NAMES})
    nature = understand((f"--conf-dir={folder}{suffixes}",), shelf)
    read = []
    for name in NAMES:
        (folder / name).write_text("no-such-option\n")
        if "bad option" in checked(tmp_path, "", f"--conf-dir={folder}{suffixes}").stderr:
            read.append(name)
        (folder / name).unlink()

    assert expected == list(nature.interfaces) == read
    assert () == nature.unread


def test_what_is_no_regular_file_in_a_directory_is_passed_over() -> None:
    """dnsmasq does so, too; one that is named must be read, and could not be."""
    shelf = Shelf({"/d/fifo": Page(trouble=NOT_REGULAR), "/d/plain": "dnssec", CONF_FILE: ""})

    assert Nature(validates=True) == understand(("-7/d",), shelf)
    assert (f"/d/fifo: {NOT_REGULAR}",) == understand(("-C/d/fifo",), shelf).unread


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("conf-file=/nowhere", "/nowhere: it does not exist any more"),
        ("conf-file=here", "here: the path is relative, and from where is not known"),
        ("conf-dir=there", "there: the path is relative, and from where is not known"),
        ("conf-dir=/nowhere", "/nowhere: No such file or directory"),
        ("conf-script=/bin/x", "what /bin/x prints is not known (/etc/dnsmasq.conf:1)"),
        ('interface="eth0', "/etc/dnsmasq.conf:1: a quote is not closed"),
    ],
)
def test_what_cannot_be_read_is_named(line: str, words: str) -> None:
    """It may hold anything: so dnsmasq is in doubt."""
    assert (words,) == of(conf=line).unread
    assert 3 == len(of(conf="conf-file=none\n" * 9).unread)


def test_a_missing_default_file_is_no_doubt_but_one_that_may_not_be_read_is() -> None:
    """dnsmasq starts without /etc/dnsmasq.conf."""
    refused = Page(trouble="it cannot be read: Permission denied")

    assert Nature() == understand((), Shelf())
    assert (f"{CONF_FILE}: {refused.trouble}",) == understand((), Shelf({CONF_FILE: refused})).unread


def test_a_file_is_read_once() -> None:
    """Also one that names itself."""
    shelf = Shelf({CONF_FILE: "interface=a\nconf-file=/b\nconf-file=/b\n", "/b": f"interface=b\nconf-file={CONF_FILE}"})

    assert Nature(interfaces=("a", "b")) == understand((), shelf)


def test_depth_and_number_of_files_are_bounded() -> None:
    """Each leads to a new one for ever: the guard stops, and says so."""

    class Endless(Shelf):
        def page(self, path: str) -> Page:
            return Page(f"conf-file={path}x", (1, len(path)))

    class Many(Shelf):
        def names(self, directory: str) -> Names:  # noqa: ARG002
            return Names(tuple(str(number) for number in range(MAX_FILES + 1)))

        def page(self, path: str) -> Page:  # noqa: ARG002
            return Page("")

    assert "too deep" in understand((), Endless()).unread[0]
    assert "too many" in understand(("-7/d",), Many()).unread[-1]


def test_what_is_kept_for_the_log_is_bounded_and_printable() -> None:
    """A list of blocked names has a hundred thousand lines, and a line may hold anything."""
    text = "".join(f"address=/{number}\x1b\udcff{'x' * 200}/0.0.0.0\n" for number in range(1000))
    keeps = of(conf=text).keeps

    assert 3 == len(keeps)
    assert all(keep.isprintable() and len(keep) < 150 for keep in keeps)


@settings(deadline=None)
@given(st.lists(st.text(max_size=20), max_size=6), st.text(max_size=80))
def test_nothing_that_may_be_written_is_too_much(words: list[str], text: str) -> None:
    """An administrator, or a half-written file."""
    assert isinstance(understand(words, Shelf({CONF_FILE: text})), Nature)
