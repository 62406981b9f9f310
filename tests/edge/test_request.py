"""How root's helpers are asked: a file that nobody can miss, and a knock for the one that is quick."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dnsguard.core.events import AttachAsked, AttachNotAsked, UpdateAsked, UpdateNotAsked
from dnsguard.edge.request import ask, ask_update


@pytest.fixture
def request_file(tmp_path: Path) -> Path:
    """Where the .path unit would see it."""
    return tmp_path / "attach-wanted"


@pytest.fixture
def door(tmp_path: Path) -> Path:
    """Where the package's take-back would wait."""
    return tmp_path / "door"


def test_a_request_lies_where_the_path_unit_sees_it(request_file: Path, door: Path) -> None:
    """And may lie there already: asking twice is asking."""
    assert [AttachAsked(), AttachAsked()] == [ask(request_file, door), ask(request_file, door)]
    assert request_file.exists()


def test_a_request_that_cannot_be_left_is_an_answer(tmp_path: Path, door: Path) -> None:
    """The directory is missing only if somebody removed it."""
    wanted = tmp_path / "gone" / "attach-wanted"

    assert AttachNotAsked(f"{wanted}: No such file or directory") == ask(wanted, door)


def test_who_waits_at_the_door_hears_one_line(request_file: Path, door: Path) -> None:
    """The request is there before the knock: who hears it finds why."""
    os.mkfifo(door)
    waiting = os.open(door, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert AttachAsked() == ask(request_file, door)
        assert b"\n" == os.read(waiting, 100)
    finally:
        os.close(waiting)
    assert request_file.exists()


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("nowhere")])
def test_nobody_at_the_door_is_no_failure(request_file: Path, door: Path, make: Callable[[Path], None]) -> None:
    """The file asks as well, a little slower; and nothing is waited for."""
    make(door)

    assert AttachAsked() == ask(request_file, door)
    assert request_file.exists()


def test_a_knock_does_not_follow_a_link(tmp_path: Path, request_file: Path, door: Path) -> None:
    """Whoever turned it means a file that is not ours to write."""
    precious = tmp_path / "precious"
    precious.write_text("here before")
    door.symlink_to(precious)

    assert AttachAsked() == ask(request_file, door)
    assert "here before" == precious.read_text()


def test_a_request_for_an_update_is_left_likewise(tmp_path: Path) -> None:
    """Or why it could not be."""
    wanted, nowhere = tmp_path / "update-wanted", tmp_path / "gone" / "update-wanted"

    assert UpdateAsked() == ask_update(wanted)
    assert wanted.exists()
    assert UpdateNotAsked(f"{nowhere}: No such file or directory") == ask_update(nowhere)
