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
