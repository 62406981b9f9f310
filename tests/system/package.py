"""The real .deb, built from this checkout as it lies there, once a session."""

import subprocess
import tempfile
from functools import cache
from pathlib import Path

from tests.sandbox.namespaces import CHECKOUT

_FOLDER = tempfile.TemporaryDirectory(prefix="dnsguard-deb-")


@cache
def package() -> Path:
    """Where it lies; ten seconds, or two minutes where no Debian root to build in is kept yet.

    Raises:
        CalledProcessError: build.sh failed; it has said why.
    """
    subprocess.run([CHECKOUT / "packaging/build.sh", "--worktree", "--into", _FOLDER.name], check=True)
    return next(Path(_FOLDER.name).glob("dnsguard_*.deb"))
