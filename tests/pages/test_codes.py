"""The catalogue as journald's own reader takes it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from dnsguard.core.message_id import message_id
from pages.codes import Told, catalogue, codes, table

ONE = {"some-code": Told("info, warning", "Something happened", "It matters. " * 20, "`do this`.")}


def test_an_entry_says_what_why_and_what_to_do() -> None:
    """What `journalctl -x` shows, wrapped for a terminal of 80 columns."""
    head, _, text = catalogue(ONE).partition("\n\n")

    assert f"-- {message_id('some-code')}\nSubject: Something happened\nDefined-By: dnsguard" in head
    assert text.startswith("It matters. It matters.")
    assert "\n\nWhat to do: `do this`.\n\n" in text
    assert max(map(len, text.splitlines())) <= 76


def test_a_row_has_everything() -> None:
    """One code, one line."""
    row = table(ONE).splitlines()[2]

    assert ["`some-code`", "info, warning", "Something happened"] == [each.strip() for each in row.split("|")[1:4]]
    assert f"`{message_id('some-code')}`" in row


def test_systemd_reads_every_entry(tmp_path: Path) -> None:
    """What it cannot read it leaves out, and says little."""
    if shutil.which("journalctl") is None:
        pytest.skip("journalctl is not installed")
    folder = tmp_path / "usr/lib/systemd/catalog"
    folder.mkdir(parents=True)
    (folder / "dnsguard.catalog").write_text(catalogue(codes()))
    (tmp_path / "var/lib/systemd/catalog").mkdir(parents=True)
    subprocess.run(["journalctl", "--update-catalog", f"--root={tmp_path}"], check=True)
    ran = subprocess.run(
        ["journalctl", "--list-catalog", f"--root={tmp_path}"], check=True, capture_output=True, text=True
    )

    read = dict(re.findall(r"^([0-9a-f]{32}) dnsguard: (.*)$", ran.stdout, re.MULTILINE))
    assert {message_id(code): told.what for code, told in codes().items()} == read
