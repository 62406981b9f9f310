"""The real .deb, built from this checkout as it lies there, once a session."""

import atexit
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from tests.sandbox.namespaces import CHECKOUT


@cache
def package() -> Path:
    """Where it lies; ten seconds, or two minutes where no Debian root to build in is kept yet.

    Raises:
        CalledProcessError: build.sh failed; it has said why.
    """
    folder = tempfile.mkdtemp(prefix="dnsguard-deb-")
    atexit.register(shutil.rmtree, folder)
    subprocess.run([CHECKOUT / "packaging/build.sh", "--worktree", "--into", folder], check=True)
    return next(Path(folder).glob("dnsguard_*.deb"))


@cache
def newer_package() -> Path:
    """The same under a higher version, as an upgrade brings it."""
    folder = Path(tempfile.mkdtemp(prefix="dnsguard-newer-"))
    atexit.register(shutil.rmtree, folder)
    tree, built = folder / "tree", folder / "dnsguard_9.0.0_all.deb"
    subprocess.run(["dpkg-deb", "--raw-extract", package(), tree], check=True)
    control = tree / "DEBIAN/control"
    control.write_text("".join(_renewed(line) for line in control.read_text().splitlines(True)))
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, built], check=True, stdout=subprocess.DEVNULL)
    return built


def _renewed(line: str) -> str:
    return "Version: 9.0.0\n" if line.startswith("Version: ") else line
