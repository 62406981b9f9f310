"""What real shells make of the completions: a key is pressed, and what stands on the line then is run."""

import os
import pty
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dnsguard.cli import command_line
from pages.completion import bash, commands, options, zsh

PATIENCE_S = 60.0
OVER = "the-end"

# What is typed, and what `dnsguard` is called with when Tab has been pressed and the line is sent.
TYPED = [
    ("dnsguard stat\t", "<status>"),
    ("dnsguard check\t", "<check-config>"),
    ("dnsguard --ver\t", "<--version>"),
    ("dnsguard status --js\t", "<status><--json>"),
    ("dnsguard wait --f\tgua\t", "<wait><--for><guarded>"),
    ("dnsguard wait --timeout 3 --for rea\t", "<wait><--timeout><3><--for><ready>"),
    ("dnsguard run --config some-f\t", "<run><--config><some-file.toml>"),
    ("dnsguard check-config some-f\t", "<check-config><some-file.toml>"),
    ("dnsguard check-config --he\t", "<check-config><--help>"),
    ("dnsguard detach som\t", "<detach><som>"),
    ("dnsguard wait --timeout som\t", "<wait><--timeout><som>"),
]
# Stands for the program: shows what it is called with.
SHOW = 'dnsguard() { printf \'<%s>\' "$@"; echo " ran"; }\n'
BASH = "bind 'set bell-style none'; bind 'set enable-bracketed-paste off'; PS1='> '\n"
ZSH = "autoload -Uz compinit; compinit -u -D; unsetopt beep; PS1='> '\n"


def screen_of(command: list[str], typed: str, place: Path) -> str:
    """What an interactive shell shows until it is over with what was typed."""
    controller, terminal = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "HOME": str(place), "TERM": "dumb", "ZDOTDIR": str(place), "LC_ALL": "C"}
    shell = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, cwd=place, env=environment)
    os.close(terminal)
    shown = b""
    deadline_s = time.monotonic() + PATIENCE_S
    try:
        os.write(controller, typed.encode())
        os.set_blocking(controller, False)
        while f"<{OVER}> ran".encode() not in shown and time.monotonic() < deadline_s:
            try:
                shown += os.read(controller, 65536)
            except BlockingIOError:
                time.sleep(0.01)
            except OSError:
                break
    finally:
        shell.kill()
        shell.wait()
        os.close(controller)
    return shown.decode(errors="replace")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with one file, and both scripts where the shells find them."""
    (tmp_path / "some-file.toml").touch()
    (tmp_path / "dnsguard.bash").write_text(bash(command_line()))
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions/_dnsguard").write_text(zsh(command_line()))
    return tmp_path


def in_bash(place: Path, typed: str) -> str:
    (place / "rc").write_text(f"{SHOW}{BASH}. ./dnsguard.bash\n")
    return screen_of(["bash", "--noprofile", "--rcfile", "rc", "-i"], typed, place)


def in_zsh(place: Path, typed: str) -> str:
    (place / ".zshrc").write_text(f"{SHOW}fpath=($PWD/functions $fpath)\n{ZSH}")
    return screen_of(["zsh", "-d", "-i"], typed, place)


SHELLS = [pytest.param(in_bash, "bash", id="bash"), pytest.param(in_zsh, "zsh", id="zsh")]


@pytest.mark.parametrize(("shell", "name"), SHELLS)
def test_tab_completes(place: Path, shell: Callable[[Path, str], str], name: str) -> None:
    """Commands, options, choices and files; and nothing where only the operator knows."""
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    shown = shell(place, "".join(f"{line}\n" for line, _ in TYPED) + f"dnsguard {OVER}\n")
    ran = [line.partition(" ran")[0] for line in shown.replace("\r", "\n").split("\n") if line.endswith(" ran")]

    assert [*(expected for _, expected in TYPED), f"<{OVER}>"] == ran, shown


@pytest.mark.parametrize("script", [bash, zsh], ids=["bash", "zsh"])
def test_every_command_and_option_is_offered(script: Callable[..., str]) -> None:
    """A new one needs nobody's doing."""
    parser = command_line()
    text = script(parser)

    for name, each in commands(parser).items():
        assert name in text
        assert all(option in text for option in options(each))
