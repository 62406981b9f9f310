"""dnsguard.doctor and its command: one round over a host that lies in a folder, without a daemon."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from dnsguard.cli import _load, main
from dnsguard.core import settings
from dnsguard.core.doctor import examine
from dnsguard.core.errors import SettingsError
from dnsguard.doctor import is_resolving, look_around
from dnsguard.edge import asker
from dnsguard.edge.rights import tell_as_owner
from tests.fakes import TinyNameserver, process_called, reply_to


@pytest.fixture
def upstream() -> Iterator[TinyNameserver]:
    """A server that answers everything, at an address of loopback that nobody else has."""
    with TinyNameserver(lambda query, _: [reply_to(query)], address="127.0.0.9") as server:
        yield server


@pytest.fixture
def daemon() -> Iterator[int]:
    """A process that passes for a daemon."""
    with process_called("dnsguard", "run") as pid:
        yield pid


def config(tmp_path: Path, port: int) -> Path:
    """A dnsguard.toml for a host whose files lie in the folder, and whose servers have this port."""
    names = ("resolv_conf", "published", "status", "upstream_file", "resolvconf_dir", "resolv_conf_d")
    paths = "".join(f'{name} = "{tmp_path / name}"\n' for name in names)
    file = tmp_path / "dnsguard.toml"
    file.write_text(
        f'[paths]\n{paths}other_sources = []\n[dnsmasq]\nport = {port}\npid_file = "{tmp_path / "pid"}"\nunit = ""\n'
        f"[health]\nupstream_port = {port}\n"
    )
    return file


@pytest.fixture(autouse=True)
def seen_by_the_child(tmp_path: Path) -> None:
    """Root asks in a child that is nobody; the folder of a test belongs to root alone."""
    tmp_path.chmod(0o755)


def test_wait_for_resolving_asks_the_servers_of_libc(
    tmp_path: Path, upstream: TinyNameserver, capsys: pytest.CaptureFixture[str]
) -> None:
    """And no daemon: one of them that answers is enough."""
    file, resolv_conf = config(tmp_path, upstream.port), tmp_path / "resolv_conf"
    wait = ["wait", "--for", "resolving", "--timeout", "0", "--config", str(file)]
    resolv_conf.write_text("nameserver 127.0.0.8\n")
    assert 1 == main(wait)
    assert "dnsguard: not resolving after 0 s; `dnsguard doctor` says what is wrong\n" == capsys.readouterr().err
    resolv_conf.write_text("nameserver 127.0.0.8\nnameserver 127.0.0.9\n")

    assert 0 == main(wait)
    assert is_resolving(settings.parse(file.read_text(), str(file)))


def test_round_sees_files_and_servers(tmp_path: Path, upstream: TinyNameserver, daemon: int) -> None:
    """What is there is seen, and each server that libc would ask has been asked."""
    (tmp_path / "resolv_conf").write_text("nameserver 127.0.0.9\nnameserver 127.0.0.8\n")
    (tmp_path / "status").write_text(json.dumps({"pid": daemon, "written": "2001-02-03T04:05:06.000+00:00"}))
    file = config(tmp_path, upstream.port)
    told = json.loads((tmp_path / "status").read_text())
    host = look_around(settings.parse(file.read_text(), str(file)), file, None, told)

    assert ("file", "nameserver 127.0.0.9\nnameserver 127.0.0.8\n") == (host.resolv_conf.kind, host.resolv_conf.text)
    assert {"127.0.0.9": "", "127.0.0.8": "closed"} == {name: said.trouble for name, said in host.answers.items()}
    assert (str(tmp_path / "status"), 981173106.0) in host.dated
    assert host.is_running
    assert 0 == host.dnsmasq.pid
    assert "cannot be read" in host.dnsmasq.missing


def test_findings_are_told_by_the_exit_status_and_as_json(
    tmp_path: Path, upstream: TinyNameserver, capsys: pytest.CaptureFixture[str]
) -> None:
    """A loopback server is no upstream: there is none, and that is found where nobody answers."""
    (tmp_path / "resolv_conf").write_text("nameserver 127.0.0.8\n")
    file = config(tmp_path, upstream.port)

    assert 1 == main(["doctor", "--json", "--config", str(file)])
    assert "no-upstream" in [finding["code"] for finding in json.loads(capsys.readouterr().out)["findings"]]


SOMEBODY = 4321


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that any user can reach."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone can try a file with another user's rights")
@pytest.mark.parametrize(
    ("owner", "mode", "user", "expected"),
    [
        # As root sees it: it may be that the daemon's user may not read it.
        ((0, SOMEBODY), 0o640, 0, ""),
        ((0, 0), 0o600, 0, "kept"),
        # As anybody sees it, who cannot know what the daemon may.
        ((0, SOMEBODY), 0o640, 1234, "hidden"),
        ((0, 0), 0o600, 1234, "hidden"),
        (None, 0, 0, "absent"),
        (None, 0, 1234, "absent"),
    ],
)
def test_who_may_read_the_settings(
    open_folder: Path, upstream: TinyNameserver, owner: tuple[int, int] | None, mode: int, user: int, expected: str
) -> None:
    """Root reads everything, and the daemon does not."""
    file = config(open_folder, upstream.port)
    meant = settings.parse(file.read_text(), str(file))
    os.chown(open_folder, SOMEBODY, SOMEBODY)
    if owner:
        os.chown(file, *owner)
        file.chmod(mode)
    else:
        file.unlink()

    def looked() -> bytes:
        error = None
        try:
            _load(file)
        except SettingsError as bad:
            error = bad
        host = look_around(meant, file, error, None)
        return f"{host.settings_file}, {bool(host.settings_error)}".encode()

    home = open_folder / "user"
    home.mkdir()
    os.chown(home, user, user)
    told = tell_as_owner(home, looked) if user else looked()

    assert f"{expected}, {expected in ('kept', 'absent')}" == told.decode()


@pytest.mark.parametrize("question", ["intranet.example FOO", "intranet.example AAAA = 10.0.0.7", "a..b A"])
def test_questions_that_the_daemon_refuses_are_found(
    tmp_path: Path, upstream: TinyNameserver, capsys: pytest.CaptureFixture[str], question: str
) -> None:
    """What check-config refuses is not good to doctor."""
    file = config(tmp_path, upstream.port)
    file.write_text(f'{file.read_text()}questions = ["{question}"]\n')
    assert 78 == main(["check-config", str(file)])

    assert 1 == main(["doctor", "--json", "--config", str(file)])
    assert "bad-settings" == json.loads(capsys.readouterr().out)["findings"][0]["code"]


def test_bad_settings_are_a_finding_and_no_refusal(tmp_path: Path, upstream: TinyNameserver) -> None:
    """The rest is looked at all the same."""
    file = config(tmp_path, upstream.port)
    error = SettingsError("out-of-range", f"{file}:2: fall = 0")
    looks = examine(look_around(settings.parse(file.read_text(), str(file)), file, error, None))

    assert f"sed -i '2s/^/#/' {file} && systemctl restart dnsguard" == looks[0].findings[0].mend
    assert 11 == len(looks)


@pytest.mark.skipif(os.geteuid() != 0, reason="who is not root asks by himself")
def test_a_child_of_root_s_that_fails_is_said_and_nothing_is_called_well(
    tmp_path: Path, upstream: TinyNameserver, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Where nobody was asked, nobody has answered."""
    (tmp_path / "resolv_conf").write_text("nameserver 127.0.0.9\n")
    monkeypatch.setattr(asker, "ask", lambda *_: 1 // 0)

    assert 1 == main(["doctor", "--config", str(config(tmp_path, upstream.port))])
    said = capfd.readouterr()
    assert "" == said.out
    assert "ZeroDivisionError" in said.err
    assert "dnsguard: nothing-asked: no server was asked" in said.err
