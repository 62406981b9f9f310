"""Twin of dnsguard/edge/owner.py."""

import json
from pathlib import Path

import pytest

from dnsguard.core.owner import Provider
from dnsguard.edge.owner import read_signs


def script(path: Path) -> Path:
    """A program at this path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("facts", "before"),
    [
        ({"kind": "link", "target": "../run/resolvconf/resolv.conf"}, "a link to ../run/resolvconf/resolv.conf"),
        ({"kind": "link", "target": "odd\nname"}, r"a link to odd\nname"),
        ({"kind": "file", "target": ""}, "a plain file"),
        ({"kind": "absent", "target": ""}, "nothing"),
        ({"kind": "ghost", "target": ""}, ""),
        ({"kind": "link"}, ""),
        ([], ""),
    ],
)
def test_what_attach_has_kept_is_told(tmp_path: Path, facts: object, before: str) -> None:
    """In one line, whatever the link's target is called."""
    kept = tmp_path / "kept.json"
    kept.write_text(json.dumps(facts))

    assert before == read_signs(kept, tmp_path, tmp_path).before


@pytest.mark.parametrize("content", [b"", b"\xff", b"[" * 60000, None])
def test_what_cannot_be_read_is_unknown(tmp_path: Path, content: bytes | None) -> None:
    """A half-written or missing file is no reason not to start."""
    if content is not None:
        (tmp_path / "kept.json").write_bytes(content)

    assert "" == read_signs(tmp_path / "kept.json", tmp_path / "none", tmp_path).before


@pytest.mark.parametrize(
    ("scripts", "provider"),
    [
        (["list-records", "normalize-resolvconf"], Provider.DEBIAN),
        (["libc", "dnsmasq"], Provider.OPENRESOLV),
        ([], Provider.STRANGER),
    ],
)
def test_each_resolvconf_is_known_by_its_scripts(tmp_path: Path, scripts: list[str], provider: Provider) -> None:
    """They have the same name, and only one can be installed."""
    program = script(tmp_path / "sbin/resolvconf")
    for name in scripts:
        script(tmp_path / "lib" / name)

    assert provider is read_signs(tmp_path / "none", program, tmp_path / "lib").provider


def test_resolvectl_is_known_by_its_name(tmp_path: Path) -> None:
    """systemd-resolved's package makes the link."""
    program = tmp_path / "resolvconf"
    program.symlink_to(script(tmp_path / "resolvectl"))

    assert Provider.RESOLVECTL is read_signs(tmp_path / "none", program, tmp_path).provider


def test_a_program_that_cannot_be_run_is_none(tmp_path: Path) -> None:
    """Debian's scripts ask `[ -x /sbin/resolvconf ]`."""
    program = script(tmp_path / "resolvconf")
    program.chmod(0o644)

    assert Provider.NOBODY is read_signs(tmp_path / "none", program, tmp_path).provider
