"""Attach and detach, on a host made of three directories; and where the kernel refuses."""

import json
import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dnsguard.core.errors import LinkError
from dnsguard.core.resolvconf import parse
from dnsguard.edge import link
from dnsguard.edge.link import LinkPaths, attach, detach
from dnsguard.edge.publisher import replace_file
from tests.fakes import ROOT, in_private_mounts

FIRST = "nameserver 192.0.2.53\n"
REAL = "# Left by dnsguard\nnameserver 192.0.2.54\nsearch example.test\n"
PLAIN = b"# by hand\r\nnameserver 192.0.2.99\n\n; no newline at the end"
LOCAL = b"nameserver 127.0.0.1\n"


class Host:
    """As much of a host as attach and detach see."""

    def __init__(self, place: Path) -> None:
        self.etc = place / "etc"
        self.run = place / "run"
        self.var = place / "var"
        for directory in (self.etc, self.run / "resolvconf", self.var):
            directory.mkdir(parents=True)
        self.resolvconf = self.run / "resolvconf" / "resolv.conf"
        self.paths = LinkPaths(
            resolv_conf=self.etc / "resolv.conf",
            published=self.run / "dnsguard" / "resolv.conf",
            kept=self.var / "dnsguard" / "resolv.conf.kept",
            kept_facts=self.var / "dnsguard" / "kept.json",
            request=self.run / "dnsguard" / "attach-wanted",
            newcomer=self.run / "dnsguard" / "newcomer.conf",
        )

    def attach(self, first: str = FIRST) -> str:
        return attach(self.paths, first, replace_file)

    def detach(self, last_phase: str = "direct", upstreams: str = REAL) -> str:
        return detach(self.paths, lambda _: last_phase == "guarded", upstreams, replace_file)

    def with_plain_file(self, data: bytes = PLAIN) -> "Host":
        self.paths.resolv_conf.unlink(missing_ok=True)
        self.paths.resolv_conf.write_bytes(data)
        return self

    def with_resolvconf(self, says: bytes = b"nameserver 192.0.2.77\n") -> "Host":
        """A host as Debian's resolvconf makes it, with a link that is relative."""
        self.paths.resolv_conf.unlink(missing_ok=True)
        self.paths.resolv_conf.symlink_to("../run/resolvconf/resolv.conf")
        self.resolvconf.write_bytes(says)
        return self

    def facts(self) -> dict[str, object]:
        read = json.loads(self.paths.kept_facts.read_bytes())
        assert isinstance(read, dict)
        return read

    def is_attached(self) -> bool:
        path = self.paths.resolv_conf
        return path.is_symlink() and os.readlink(path) == str(self.paths.published)

    def nameservers(self) -> tuple[str, ...]:
        """What libc would ask, following the link."""
        return parse(self.paths.resolv_conf.read_bytes().decode("latin-1")).nameservers

    def resolvconf_is_back(self) -> bool:
        path = self.paths.resolv_conf
        return path.is_symlink() and os.readlink(path) == "../run/resolvconf/resolv.conf"

    def files(self) -> set[str]:
        """Every name under the three directories, to see what was left behind."""
        tops = (self.etc, self.run, self.var)
        return {str(path.relative_to(self.etc.parent)) for top in tops for path in top.rglob("*")}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def code_of(caught: pytest.ExceptionInfo[LinkError]) -> str:
    return caught.value.code


# --- attach ----------------------------------------------------------------------------------------


def test_the_paths_are_those_of_the_package() -> None:
    """The units, tmpfiles.d and the AppArmor snippet name the same ones."""
    paths = LinkPaths()

    assert "/etc/resolv.conf" == str(paths.resolv_conf)
    assert "/run/dnsguard/resolv.conf" == str(paths.published)
    assert "/var/lib/dnsguard/resolv.conf.kept" == str(paths.kept)
    assert "/var/lib/dnsguard/kept.json" == str(paths.kept_facts)
    assert "/run/dnsguard/attach-wanted" == str(paths.request)


def test_a_plain_file_is_kept_byte_for_byte(host: Host) -> None:
    """Comments, line ends and all: it is the operator's, and it will be handed back."""
    host.with_plain_file().paths.resolv_conf.chmod(0o600)

    said = host.attach()

    assert host.is_attached()
    assert FIRST == host.paths.published.read_text()
    assert PLAIN == host.paths.kept.read_bytes()
    assert ("file", 0o600, os.getuid()) == tuple(host.facts()[name] for name in ("kind", "mode", "uid"))
    expected = f"{host.paths.resolv_conf} is now a link to {host.paths.published}; before, it was a plain file"
    assert expected == said


def test_what_was_kept_is_readable_to_the_daemon(host: Host) -> None:
    """It is a source of upstreams, even if only root could read the file itself."""
    host.with_plain_file().paths.resolv_conf.chmod(0o600)
    host.attach()

    assert [0o644, 0o644] == [mode_of(host.paths.kept), mode_of(host.paths.kept_facts)]


def test_a_link_is_kept_as_its_target(host: Host) -> None:
    """resolvconf's link is relative, and is kept so."""
    said = host.with_resolvconf().attach()

    assert host.is_attached()
    assert ("link", "../run/resolvconf/resolv.conf") == (host.facts()["kind"], host.facts()["target"])
    assert not host.paths.kept.exists()
    assert said.endswith("before, it was a link to ../run/resolvconf/resolv.conf")


def test_a_link_that_leads_nowhere_is_kept_too(host: Host) -> None:
    """At early boot /run is empty, and the link is right all the same."""
    host.with_resolvconf()
    host.resolvconf.unlink()

    host.attach()

    assert host.is_attached()
    assert "../run/resolvconf/resolv.conf" == host.facts()["target"]


def test_nothing_there_is_kept_as_nothing(host: Host) -> None:
    """A fresh container may have no resolv.conf at all."""
    said = host.attach()

    assert host.is_attached()
    assert "absent" == host.facts()["kind"]
    assert said.endswith("before, it was nothing")


def test_attaching_again_changes_nothing(host: Host) -> None:
    """The second run finds our own link; keeping that would lose what was there."""
    host.with_plain_file().attach()
    before = {path: path.lstat().st_ino for path in (host.paths.resolv_conf, host.paths.kept_facts)}
    facts = host.facts()

    said = host.attach("nameserver 198.51.100.1\n")

    assert said.endswith("already")
    assert facts == host.facts()
    assert before == {path: path.lstat().st_ino for path in before}
    assert FIRST == host.paths.published.read_text()


@pytest.mark.parametrize("detour", ["../run/dnsguard/resolv.conf", "../alias/dnsguard/resolv.conf"])
def test_our_link_by_another_name_is_still_ours(host: Host, detour: str) -> None:
    """An administrator's relative link, or one through /var/run, must not be kept as a newcomer."""
    (host.etc.parent / "alias").symlink_to("run")
    host.with_plain_file().attach()
    host.paths.resolv_conf.unlink()
    host.paths.resolv_conf.symlink_to(detour)

    assert host.attach().endswith("already")
    assert "file" == host.facts()["kind"]


def test_a_published_file_is_left_as_the_daemon_wrote_it(host: Host) -> None:
    """Its content is newer than anything attach can know."""
    host.with_plain_file().attach()
    host.paths.published.write_text("nameserver 127.0.0.1\nnameserver 192.0.2.1\n")
    host.with_plain_file().attach()

    assert ("127.0.0.1", "192.0.2.1") == host.nameservers()


def link_elsewhere(path: Path) -> None:
    path.rename(path.with_name("other"))
    path.symlink_to("other")


def link_hard(path: Path) -> None:
    path.with_name("other").hardlink_to(path)


def make_fifo(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"# nameserver 192.0.2.1\nsearch example.test\n"),
        lambda path: path.write_bytes(b"nameserver x\n" + b"\xff" * 9),
        link_elsewhere,
        make_fifo,
        link_hard,
        lambda path: path.write_bytes(b"nameserver 192.0.2.1\n" * 2**16),
    ],
)
def test_a_published_file_that_libc_cannot_use_is_made_anew(host: Host, spoil: Callable[[Path], None]) -> None:
    """Attached or not: our link must lead to a nameserver. Never through a link, never waiting."""
    host.with_plain_file().attach()
    spoil(host.paths.published)

    host.attach("nameserver 198.51.100.7\n")

    assert ("198.51.100.7",) == host.nameservers()
    assert not host.paths.published.is_symlink()
    assert 0o644 == mode_of(host.paths.published)


def test_a_tight_umask_does_not_hide_the_file(host: Host) -> None:
    """Every user of the host reads it, through every directory on the way."""
    before = os.umask(0o077)
    try:
        host.with_plain_file().attach()
    finally:
        os.umask(before)

    assert 0o755 == mode_of(host.paths.published.parent)
    assert 0o644 == mode_of(host.paths.published)


def test_a_newcomer_is_kept_as_the_newest(host: Host) -> None:
    """A DHCP client wrote over our link: that is what the host would have without the guard."""
    host.with_plain_file().attach()
    host.with_plain_file(b"nameserver 203.0.113.1\n").attach()

    assert host.is_attached()
    assert b"nameserver 203.0.113.1\n" == host.paths.kept.read_bytes()


def test_what_was_written_through_the_link_before_is_forgotten(host: Host) -> None:
    """Two newcomers, of which the one that took the link's place is the newer."""
    host.with_plain_file().attach()
    host.paths.newcomer.write_text("nameserver 203.0.113.2\n")
    host.with_plain_file(b"search example.test\n").attach()
    assert host.paths.newcomer.exists()
    host.with_plain_file(b"nameserver 203.0.113.1\n").attach()

    assert not host.paths.newcomer.exists()


def test_a_newcomers_link_with_servers_takes_the_plain_files_place(host: Host) -> None:
    """The old plain file is no source any more: what it said may be years old."""
    host.with_plain_file().attach()
    host.with_resolvconf().attach()

    assert "link" == host.facts()["kind"]
    assert not host.paths.kept.exists()


@pytest.mark.parametrize("says", [b"", b"# resolvconf\nsearch example.test\n"])
def test_a_newcomers_link_without_servers_leaves_the_plain_file_a_source(host: Host, says: bytes) -> None:
    """resolvconf's installation leaves no nameserver for seconds; what was there still knows one."""
    host.with_plain_file().attach()
    host.with_resolvconf(says).attach()

    assert "link" == host.facts()["kind"]
    assert PLAIN == host.paths.kept.read_bytes()


def test_resolvconfs_link_with_the_same_servers_does_not_forget_the_plain_file(host: Host) -> None:
    """It says nothing newer: its servers are those that our hook gave it, and may not outlive the next boot."""
    host.with_plain_file().attach()

    host.with_resolvconf(b"nameserver 192.0.2.99\n").attach()

    assert PLAIN == host.paths.kept.read_bytes()
    assert "link" == host.facts()["kind"]


@pytest.mark.parametrize("is_link", [False, True])
def test_what_take_back_laid_aside_is_kept(host: Host, is_link: bool) -> None:
    """Our link is there again already; what was there for a moment is what detach will put back."""
    host.with_plain_file().attach()
    if is_link:
        host.resolvconf.write_bytes(b"nameserver 192.0.2.77\n")
        host.paths.found.symlink_to("../run/resolvconf/resolv.conf")
    else:
        host.paths.found.write_bytes(b"nameserver 192.0.2.78\n")

    assert host.attach().endswith("already")

    assert host.is_attached()
    assert not os.path.lexists(host.paths.found)
    assert ("link" if is_link else "file") == host.facts()["kind"]
    if not is_link:
        assert b"nameserver 192.0.2.78\n" == host.paths.kept.read_bytes()


def test_the_request_is_consumed(host: Host) -> None:
    """PathExists= is level-triggered: a request that stays would start the helper for ever."""
    host.with_plain_file().attach()
    host.paths.request.touch()
    host.attach()

    assert not host.paths.request.exists()


def test_the_request_is_consumed_even_if_it_cannot_be_met(host: Host) -> None:
    """A refusal is told once per request, not until the start limit is hit."""
    host.paths.resolv_conf.mkdir()
    host.paths.request.parent.mkdir()
    host.paths.request.touch()

    with pytest.raises(LinkError):
        host.attach()

    assert not host.paths.request.exists()


def test_a_file_that_is_rewritten_meanwhile_is_kept_as_it_is_at_last(host: Host) -> None:
    """Somebody writes between our look and the swing: what is kept must not be older than that."""
    host.with_plain_file(b"nameserver 203.0.113.0\n")
    turns = iter(range(1, 3))

    def while_somebody_writes(path: Path, data: bytes, **how: object) -> bool:
        if path == host.paths.kept:
            for turn in turns:
                host.with_plain_file(b"nameserver 203.0.113.%d\n" % turn)
                break
        return replace_file(path, data, **how)  # type: ignore[arg-type]

    attach(host.paths, FIRST, while_somebody_writes)

    assert host.is_attached()
    assert b"nameserver 203.0.113.2\n" == host.paths.kept.read_bytes()


def test_a_file_that_never_rests_is_attached_all_the_same(host: Host) -> None:
    """Five looks, then the swing: a busy writer must not keep the host unguarded."""
    host.with_plain_file()
    turns = iter(range(100))

    def while_somebody_writes(path: Path, data: bytes, **how: object) -> bool:
        if path == host.paths.kept:
            host.with_plain_file(b"nameserver 203.0.113.%d\n" % next(turns))
        return replace_file(path, data, **how)  # type: ignore[arg-type]

    attach(host.paths, FIRST, while_somebody_writes)

    assert host.is_attached()
    assert b"nameserver 203.0.113.3\n" == host.paths.kept.read_bytes()


def test_another_attach_that_was_faster_is_not_kept_as_a_newcomer(host: Host) -> None:
    """Two runs at once: the slower finds our link where the file was."""
    host.with_plain_file()

    def while_another_attaches(path: Path, data: bytes, **how: object) -> bool:
        if path == host.paths.kept and not host.is_attached():
            host.attach()
        return replace_file(path, data, **how)  # type: ignore[arg-type]

    assert attach(host.paths, FIRST, while_another_attaches).endswith("already")
    assert "file" == host.facts()["kind"]
    assert PLAIN == host.paths.kept.read_bytes()


@pytest.mark.parametrize(
    "make", [lambda path: path.mkdir(), make_fifo, lambda path: path.write_bytes(b"x" * (link.MAX_BYTES + 1))]
)
def test_what_is_no_file_is_refused(host: Host, make: Callable[[Path], None]) -> None:
    """A directory, a FIFO, a file of a size that no resolv.conf has: somebody means something by it."""
    make(host.paths.resolv_conf)
    before = host.files()

    with pytest.raises(LinkError) as caught:
        host.attach()

    assert "resolv-conf-not-a-file" == code_of(caught)
    assert "move it away" in caught.value.text
    assert before == host.files()


# --- detach ----------------------------------------------------------------------------------------


def test_a_plain_file_comes_back_byte_for_byte(host: Host) -> None:
    """With its mode and its owner; nothing of ours is left but the published file."""
    host.with_plain_file().paths.resolv_conf.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(host.paths.resolv_conf, 12, 34)
    before = host.paths.resolv_conf.lstat()
    host.attach()

    said = host.detach()

    after = host.paths.resolv_conf.lstat()
    assert (before.st_mode, before.st_uid, before.st_gid) == (after.st_mode, after.st_uid, after.st_gid)
    assert PLAIN == host.paths.resolv_conf.read_bytes()
    assert f"{host.paths.resolv_conf} is again what it was: a plain file" == said
    assert {"etc/resolv.conf", "var/dnsguard"} == {name for name in host.files() if not name.startswith("run")}


def test_a_link_comes_back_as_it_was(host: Host) -> None:
    """Relative as it was, and resolved from where it stands: /etc."""
    host.with_resolvconf().attach()

    assert host.detach().endswith("is again what it was: a link to ../run/resolvconf/resolv.conf")
    assert host.resolvconf_is_back()
    assert not host.paths.kept_facts.exists()


def test_detaching_again_changes_nothing(host: Host) -> None:
    """The second run finds somebody else's file: the one it handed back itself."""
    host.with_plain_file().attach()
    host.detach()
    before = host.paths.resolv_conf.lstat().st_ino

    assert f"{host.paths.resolv_conf} is not dnsguard's; nothing was changed" == host.detach()
    assert before == host.paths.resolv_conf.lstat().st_ino


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), lambda _: None, make_fifo])
def test_somebody_elses_choice_stands(host: Host, make: Callable[[Path], None]) -> None:
    """Whatever it is: detach gives back what is ours and touches nothing else."""
    host.with_plain_file().attach()
    host.paths.resolv_conf.unlink()
    make(host.paths.resolv_conf)
    before = host.files()

    assert host.detach().endswith("is not dnsguard's; nothing was changed")
    assert before == host.files()


def test_a_loopback_server_comes_back_only_if_it_was_proved(host: Host) -> None:
    """In phase guarded dnsmasq answers: resolvconf's 127.0.0.1 works now."""
    host.with_resolvconf(LOCAL).attach()

    host.detach(last_phase="guarded")

    assert host.resolvconf_is_back()


@pytest.mark.parametrize("phase", ["", "starting", "direct", "proving", "yielded", "stopping"])
@pytest.mark.parametrize("says", [LOCAL, b"nameserver ::1\n", LOCAL + b"nameserver 192.0.2.1\n"])
def test_otherwise_the_real_upstreams_are_left(host: Host, phase: str, says: bytes) -> None:
    """Never back to a dnsmasq that may be dead: that is the hole this program was written for."""
    host.with_resolvconf(says).attach()

    said = host.detach(phase)

    assert "is a plain file with the last upstreams known; before, it was a link to ../run" in said
    assert not host.paths.resolv_conf.is_symlink()
    assert REAL == host.paths.resolv_conf.read_text()
    assert 0o644 == mode_of(host.paths.resolv_conf)


def test_a_plain_file_with_loopback_is_not_put_back_either(host: Host) -> None:
    """The rule is about what works, not about what kind of thing it was."""
    host.with_plain_file(LOCAL).attach()
    host.detach()

    assert REAL == host.paths.resolv_conf.read_text()


@pytest.mark.parametrize("says", [None, b"", b"search example.test\n"])
def test_a_link_that_names_no_server_now_is_not_put_back(host: Host, says: bytes | None) -> None:
    """resolvconf's file is empty or gone; guarded or not, nothing would resolve."""
    host.with_resolvconf().attach()
    host.resolvconf.unlink() if says is None else host.resolvconf.write_bytes(says)

    host.detach(last_phase="guarded")

    assert REAL == host.paths.resolv_conf.read_text()


def test_what_cannot_be_put_back_now_stays_kept_for_later(host: Host) -> None:
    """A stop at a bad moment must not cost the host its link to resolvconf for ever."""
    host.with_resolvconf(LOCAL).attach()
    host.detach()
    host.attach()
    assert "link" == host.facts()["kind"]
    host.resolvconf.write_bytes(b"nameserver 192.0.2.77\n")

    host.detach()

    assert host.resolvconf_is_back()


def test_a_later_detach_puts_back_what_works_by_then(host: Host) -> None:
    """The package is removed after a stop at a bad moment: its last detach finds dnsmasq well."""
    host.with_resolvconf(LOCAL).attach()
    host.detach()

    again = host.detach()
    assert again.endswith("holds the upstreams that were left there before; nothing was changed")
    assert REAL == host.paths.resolv_conf.read_text()
    host.detach(last_phase="guarded")
    assert host.resolvconf_is_back()


def test_a_stand_in_that_somebody_edited_is_somebodys(host: Host) -> None:
    """One byte is enough: then it is a choice, and is kept as the newest."""
    host.with_resolvconf(LOCAL).attach()
    host.detach()
    edited = REAL.encode() + b"options timeout:2\n"
    host.with_plain_file(edited)

    assert host.detach("guarded").endswith("is not dnsguard's; nothing was changed")
    host.attach()
    assert "file" == host.facts()["kind"]
    assert edited == host.paths.kept.read_bytes()


def test_without_a_list_the_published_servers_that_are_not_loopback_are_left(host: Host) -> None:
    """The daemon's last words are missing; the standby line and the search list are not."""
    host.with_resolvconf(LOCAL).attach()
    host.paths.published.write_bytes(b"nameserver 127.0.0.1\nnameserver 192.0.2.1\nsearch caf\xe9.test\n")

    host.detach(upstreams="# nothing\n")

    assert b"nameserver 192.0.2.1\nsearch caf\xe9.test\n" == host.paths.resolv_conf.read_bytes()


@pytest.mark.parametrize("published", [LOCAL, b"", None])
def test_without_any_real_server_what_was_there_comes_back(host: Host, published: bytes | None) -> None:
    """Nothing better is known; without the guard the host would have just this."""
    host.with_resolvconf(LOCAL).attach()
    host.paths.published.unlink() if published is None else host.paths.published.write_bytes(published)

    said = host.detach(upstreams="")

    assert host.resolvconf_is_back()
    assert said.endswith("resolvconf/resolv.conf; no better upstream is known")


def test_nothing_comes_back_as_nothing_only_if_no_server_is_known(host: Host) -> None:
    """libc without resolv.conf asks 127.0.0.1; a list of servers is better than that."""
    host.attach()
    host.detach()
    assert REAL == host.paths.resolv_conf.read_text()
    host.attach()
    host.paths.published.write_bytes(LOCAL)

    host.detach(upstreams="")

    assert not host.paths.resolv_conf.exists()
    assert not host.paths.resolv_conf.is_symlink()


@pytest.mark.parametrize("published", [LOCAL, b""])
def test_if_nothing_is_known_what_is_published_is_left(host: Host, published: bytes) -> None:
    """State lost, no list: the host goes on with what it has, and without a link into /run."""
    host.with_resolvconf().attach()
    host.paths.kept_facts.unlink()
    host.paths.published.write_bytes(published)

    said = host.detach(upstreams="")

    assert published == host.paths.resolv_conf.read_bytes()
    assert not host.paths.resolv_conf.is_symlink()
    assert said.endswith("before, it was not known")


def test_a_kept_link_that_leads_to_our_own_file_is_no_way_back(host: Host) -> None:
    """/etc/resolv.conf -> /opt/link -> the published file: it dies with us."""
    detour = host.etc.parent / "detour"
    detour.symlink_to(host.paths.published)
    host.paths.resolv_conf.symlink_to(detour)
    host.attach()
    assert "link" == host.facts()["kind"]

    host.detach()

    assert REAL == host.paths.resolv_conf.read_text()


def test_a_file_that_replaces_nothing_of_ours_is_written_once(host: Host) -> None:
    """Attach, detach, any number of times: always the same two states, and no rests."""
    host.with_plain_file()
    seen = set()
    for _ in range(3):
        host.attach()
        attached = frozenset(host.files())
        host.detach()
        seen.add((attached, frozenset(host.files())))

    assert 1 == len(seen)
    assert PLAIN == host.paths.resolv_conf.read_bytes()


# --- the daemon's user owns what root reads ----------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[" * 100_000,
        "7",
        "[]",
        '"link"',
        "{}",
        '{"kind": "link"}',
        '{"target": ["x"]}',
        "\xff\xfe",
    ],
)
def test_facts_that_make_no_sense_are_no_facts(host: Host, text: str) -> None:
    """Cut off by a power cut, or written by somebody who took over the daemon."""
    host.with_resolvconf().attach()
    host.paths.kept_facts.write_text(text, "latin-1")

    host.detach()

    assert REAL == host.paths.resolv_conf.read_text()


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "device"},
        {"kind": ["link"]},
        {"kind": "file"},
        {"target": ""},
        {"target": "a\0b"},
        {"target": "\ud800"},
        {"target": 7},
        {"mode": "0644"},
        {"uid": True},
        {"more": 1},
        {"data": "x"},
    ],
)
def test_facts_that_cannot_be_are_no_facts(host: Host, change: dict[str, object]) -> None:
    """One wrong word is enough not to believe the rest."""
    host.with_resolvconf().attach()
    host.paths.kept_facts.write_text(json.dumps(host.facts() | change))

    host.detach()

    assert REAL == host.paths.resolv_conf.read_text()


@pytest.mark.parametrize("make", [Path.symlink_to, Path.hardlink_to])
def test_root_is_not_led_to_a_secret(host: Host, make: Callable[[Path, Path], None]) -> None:
    """A link in place of the kept file would make /etc/shadow readable to all."""
    host.with_plain_file().attach()
    secret = host.etc.parent / "secret"
    secret.write_bytes(b"nameserver 192.0.2.66\nroot:$6$...\n")
    host.paths.kept.unlink()
    make(host.paths.kept, secret)

    host.detach()

    assert REAL == host.paths.resolv_conf.read_text()


def test_root_makes_no_setuid_file(host: Host) -> None:
    """The mode is put back as far as it says who may read and write."""
    host.with_plain_file().attach()
    host.paths.kept_facts.write_text(json.dumps(host.facts() | {"mode": 0o4755, "uid": 2**70}))

    host.detach()

    assert 0o755 == mode_of(host.paths.resolv_conf)


def test_facts_that_cannot_be_removed_do_no_harm(host: Host) -> None:
    """Handed back is handed back; the next attach writes them anew."""
    host.with_plain_file().attach()

    def and_the_facts_become_a_directory(path: Path, data: bytes, *how: object, **more: object) -> bool:
        if path == host.paths.resolv_conf:
            host.paths.kept_facts.unlink()
            host.paths.kept_facts.mkdir()
        return replace_file(path, data, *how, **more)  # type: ignore[arg-type]

    said = detach(host.paths, lambda _: False, REAL, and_the_facts_become_a_directory)

    assert said.endswith("is again what it was: a plain file")
    assert PLAIN == host.paths.resolv_conf.read_bytes()


# --- killed at every step ----------------------------------------------------------------------------


def killed_at(step: int, run: Callable[[], object]) -> bool:
    """Run it in a child that kills itself before its n-th system call; whether it finished."""
    child = os.fork()
    if child == 0:
        count = 0

        def hook(event: str, _: tuple[object, ...]) -> None:
            nonlocal count
            if event == "open" or event.startswith("os."):
                count += 1
                if count == step:
                    os.abort()

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(signal.SIGABRT, signal.SIG_DFL)
        sys.addaudithook(hook)
        run()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def every_prefix(place: Path, begin: Callable[[Host], object], run: Callable[[Host], object]) -> list[Host]:
    """One host for each step that the run was killed before; each resolved, and none was left out."""
    hosts = []
    for step in range(1, 200):
        host = Host(place / str(step))
        begin(host)
        finished = killed_at(step, lambda host=host: run(host))  # type: ignore[misc]
        assert host.nameservers(), f"killed before step {step}, and nothing resolves"
        hosts.append(host)
        if finished:
            assert step > 5, "the steps are not counted"
            return hosts
    raise AssertionError("the run has more steps than this test thought of")


@pytest.mark.parametrize("begin", [Host.with_plain_file, Host.with_resolvconf])
def test_an_attach_that_is_killed_anywhere_is_completed_by_the_next(
    tmp_path: Path, begin: Callable[[Host], Host]
) -> None:
    """Before each of its system calls: the host resolves, the rerun attaches, detach gives all back."""
    for host in every_prefix(tmp_path, begin, Host.attach):
        host.attach()
        assert host.is_attached()
        host.detach()
        if begin is Host.with_plain_file:
            assert PLAIN == host.paths.resolv_conf.read_bytes()
        else:
            assert host.resolvconf_is_back()
        assert ["resolv.conf"] == os.listdir(host.etc)


def test_an_attach_over_a_newcomer_that_is_killed_keeps_the_newcomer(tmp_path: Path) -> None:
    """The second attach, over kept facts of another kind: no mixture of both may come back."""

    def overwritten(host: Host) -> None:
        host.with_plain_file().attach()
        host.with_resolvconf()

    for host in every_prefix(tmp_path, overwritten, Host.attach):
        host.attach()
        host.detach()
        assert host.resolvconf_is_back()


@pytest.mark.parametrize("says", [b"nameserver 192.0.2.77\n", LOCAL])
def test_a_detach_that_is_killed_anywhere_is_completed_by_the_next(tmp_path: Path, says: bytes) -> None:
    """Put back or stood in for: never a moment without a nameserver, and the rerun ends the same."""

    def attached(host: Host) -> None:
        host.with_resolvconf(says).attach()

    for host in every_prefix(tmp_path, attached, Host.detach):
        host.detach()
        assert not host.is_attached()
        assert host.resolvconf_is_back() == (says != LOCAL)
        host.attach()
        host.detach(last_phase="guarded")
        assert host.resolvconf_is_back()
        assert ["resolv.conf"] == os.listdir(host.etc)


def test_a_reader_always_finds_a_nameserver(host: Host) -> None:
    """Promise 2 across attach and detach, a hundred times, with a reader that never stops."""
    host.with_plain_file()
    child = os.fork()
    if child == 0:
        for _ in range(100):
            host.attach()
            host.detach()
        os._exit(0)
    seen = set()
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        seen.add(host.nameservers())

    assert seen <= {("192.0.2.99",), ("192.0.2.53",)}
    assert PLAIN == host.paths.resolv_conf.read_bytes()


# --- where the kernel refuses ------------------------------------------------------------------------


@pytest.mark.parametrize("run", [Host.attach, Host.detach])
def test_an_unforeseen_failure_has_a_code_too(host: Host, run: Callable[[Host], str]) -> None:
    """The state directory is a file, a directory is in the way: nothing that any other code is about."""
    host.with_resolvconf(LOCAL)
    if run is Host.detach:
        host.attach()
        (host.etc / f".resolv.conf.new.{os.getpid()}").mkdir()
    else:
        host.paths.kept_facts.parent.write_bytes(b"")

    with pytest.raises(LinkError) as caught:
        run(host)

    assert "link-failed" == code_of(caught)
    assert f"{host.paths.resolv_conf} stays as it is; next: mend that and run it again" in caught.value.text
    assert host.is_attached() == (run is Host.detach)


def test_without_rights_nothing_is_changed(tmp_path: Path) -> None:
    """`dnsguard attach` as an ordinary user says so, and says what to do."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    tmp_path.chmod(0o755)
    host = Host(tmp_path).with_plain_file()
    script = """
import os, sys
from pathlib import Path
from dnsguard.core.errors import LinkError
from dnsguard.edge.link import LinkPaths, attach
from dnsguard.edge.publisher import replace_file
os.chdir(sys.argv[1])
os.setuid(65534)
paths = LinkPaths(*map(Path, ("etc/resolv.conf", "run/resolv.conf", "var/kept", "var/facts", "run/request", "run/new")))
try:
    attach(paths, "nameserver 192.0.2.53", replace_file)
except LinkError as error:
    print(error)
"""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, tmp_path],
        env={"PYTHONPATH": ROOT},
        check=True,
        capture_output=True,
        text=True,
    )

    assert ran.stdout.startswith("not-permitted: run/.resolv.conf.new.")
    assert "Permission denied (EACCES); etc/resolv.conf stays as it is; next: run it as root" in ran.stdout
    assert PLAIN == host.paths.resolv_conf.read_bytes()


REFUSALS = """
import os, subprocess, sys
from pathlib import Path
from dnsguard.core.errors import LinkError
from dnsguard.edge.link import LinkPaths, attach, detach
from dnsguard.edge.publisher import replace_file

def call(*command):
    return subprocess.run(command, capture_output=True, text=True)

def world(name):
    place = Path(sys.argv[1]) / name
    for part in ("etc", "run", "var"):
        (place / part).mkdir(parents=True)
    call("mount", "-t", "tmpfs", "none", place / "etc").check_returncode()
    (place / "etc/resolv.conf").write_text("nameserver 192.0.2.99\\n")
    names = ("etc/resolv.conf", "run/resolv.conf", "var/kept", "var/facts", "run/request")
    return LinkPaths(*(place / name for name in names))

def show(paths, run, *arguments):
    before = os.listdir(paths.resolv_conf.parent)
    try:
        print(run(paths, *arguments, replace_file))
    except LinkError as error:
        print(error)
    assert before == os.listdir(paths.resolv_conf.parent)

FIRST = "nameserver 192.0.2.53\\n"
"""


def test_a_mount_point_is_refused(tmp_path: Path) -> None:
    """Containers have resolv.conf mounted: nobody can rename over that, and umount is not our call."""
    said = in_private_mounts(
        REFUSALS
        + """
paths = world("a")
(paths.resolv_conf.parent / "other").write_text("nameserver 192.0.2.1\\n")
call("mount", "--bind", paths.resolv_conf.parent / "other", paths.resolv_conf).check_returncode()
show(paths, attach, FIRST)
print(paths.resolv_conf.read_text())
""",
        tmp_path,
    )

    assert said.startswith("resolv-conf-is-mount: ")
    assert "Device or resource busy (EBUSY)" in said
    assert "next: umount it" in said
    assert said.endswith("nameserver 192.0.2.1\n\n")


def test_a_read_only_etc_is_refused_both_ways(tmp_path: Path) -> None:
    """Image-based hosts; and once attached, attaching again is still fine there."""
    said = in_private_mounts(
        REFUSALS
        + """
paths = world("a")
call("mount", "-o", "remount,bind,ro", paths.resolv_conf.parent).check_returncode()
show(paths, attach, FIRST)
paths = world("b")
attach(paths, FIRST, replace_file)
call("mount", "-o", "remount,bind,ro", paths.resolv_conf.parent).check_returncode()
show(paths, detach, "direct", FIRST)
show(paths, attach, FIRST)
""",
        tmp_path,
    )

    attached, detached, again = said.splitlines()
    assert attached.startswith("etc-read-only: ")
    assert "(EROFS)" in attached
    assert detached.startswith("etc-read-only: ")
    assert again.endswith("already")


@pytest.mark.parametrize(("flag", "what"), [("i", "resolv.conf"), ("a", "resolv.conf"), ("i", ".")])
def test_an_immutable_file_is_refused(tmp_path: Path, flag: str, what: str) -> None:
    """`chattr +i /etc/resolv.conf` is an old way to say: nobody touches this. Nobody does."""
    said = in_private_mounts(
        REFUSALS
        + f"""
paths = world("a")
target = paths.resolv_conf.parent / {what!r}
changed = call("chattr", "+{flag}", target)
print(changed.stderr.strip())
if changed.returncode == 0:
    show(paths, attach, FIRST)
    print(paths.resolv_conf.read_text().strip(), paths.resolv_conf.is_symlink())
    call("chattr", "-{flag}", target).check_returncode()
    show(paths, attach, FIRST)
""",
        tmp_path,
    )
    trouble, *rest = said.splitlines()
    if trouble:
        pytest.skip(f"no chattr +{flag} on this kernel's tmpfs: {trouble}")

    refused, still, then = rest
    assert refused.startswith("resolv-conf-immutable: ")
    assert "Operation not permitted (EPERM)" in refused
    assert "chattr -i -a" in refused
    assert "nameserver 192.0.2.99 False" == still
    assert "is now a link to" in then
