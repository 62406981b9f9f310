"""Root asks the network with a user's rights, and never with its own."""

import os
from pathlib import Path

import pytest

from dnsguard.edge.rights import NOBODY, ask_as_owner, tell_as_owner

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
SOMEBODY = 4321


def who_am_i(expected: int) -> bool:
    """Whether this process is that user, with no group of root's, and cannot be root again."""
    try:
        os.setuid(0)
    except PermissionError:
        return (expected,) * 3 == os.getresuid() == os.getresgid() and [] == os.getgroups()
    return False


@needs_root
def test_the_owner_of_the_folder_asks(tmp_path: Path) -> None:
    """In a child: this process is what it was."""
    os.chown(tmp_path, SOMEBODY, SOMEBODY)

    assert ask_as_owner(tmp_path, lambda: who_am_i(SOMEBODY))
    assert not ask_as_owner(tmp_path, lambda: False)
    assert 0 == os.geteuid()


@needs_root
@pytest.mark.parametrize("name", ["", "missing"])
def test_nobody_asks_where_the_owner_is_root_or_there_is_no_folder(tmp_path: Path, name: str) -> None:
    """The daemon may never have run."""
    assert ask_as_owner(tmp_path / name, lambda: who_am_i(NOBODY))


@needs_root
def test_a_question_that_fails_is_answered_with_no(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """An answer that crashes its parser must not be taken for one; a person is told what it was."""
    assert not ask_as_owner(tmp_path, lambda: bool(1 // 0))
    said = capfd.readouterr()
    assert "" == said.out
    assert said.err.endswith("\nZeroDivisionError: integer division or modulo by zero\n")


def test_who_is_not_root_asks_by_himself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There are no rights to give up."""
    monkeypatch.setattr(os, "geteuid", lambda: SOMEBODY)
    here = os.getpid()

    assert ask_as_owner(tmp_path, lambda: os.getpid() == here)


@needs_root
def test_what_the_owner_learns_is_told(tmp_path: Path) -> None:
    """More than a pipe holds, and nothing from a child that fails."""
    os.chown(tmp_path, SOMEBODY, SOMEBODY)

    assert b"%d" % SOMEBODY * 2**16 == tell_as_owner(tmp_path, lambda: b"%d" % os.geteuid() * 2**16)
    assert b"" == tell_as_owner(tmp_path, lambda: bytes([1 // 0]))
