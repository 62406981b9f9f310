"""Reads who told libc of its servers before dnsguard, and who /sbin/resolvconf is; read once, at start.

Debian's resolvconf and openresolv both are a script at /sbin/resolvconf, and what they run lies in /lib/resolvconf:
`list-records` is the one's, `libc` the other's. systemd-resolved makes a link to resolvectl of it.
Source: the packages of Debian 12 and 13.
"""

import json
import os
from pathlib import Path

from dnsguard.core.owner import Provider, Signs

MAX_BYTES = 65536
"""What attach has kept of a link or a file is far smaller."""


def read_signs(
    kept_facts: Path, program: Path = Path("/sbin/resolvconf"), scripts: Path = Path("/lib/resolvconf")
) -> Signs:
    """What can be seen now; what cannot be read is unknown."""
    return Signs(_before(kept_facts), _provider(program, scripts))


def _before(kept_facts: Path) -> str:
    """What attach found, by its own words for it."""
    try:
        with kept_facts.open("rb") as file:
            facts = json.loads(file.read(MAX_BYTES))
        kind, target = str(facts["kind"]), ascii(str(facts["target"]))[1:-1]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return ""
    return {"link": f"a link to {target}", "file": "a plain file", "absent": "nothing"}.get(kind, "")


def _provider(program: Path, scripts: Path) -> Provider:
    if not os.access(program, os.X_OK):
        return Provider.NOBODY
    if Path(os.path.realpath(program)).name == "resolvectl":
        return Provider.RESOLVECTL
    if (scripts / "list-records").exists():
        return Provider.DEBIAN
    return Provider.OPENRESOLV if (scripts / "libc").exists() else Provider.STRANGER
