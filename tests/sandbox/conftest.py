"""A private host for a test, or the reason why there cannot be one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.guard import Guard
from tests.sandbox.host import Host
from tests.sandbox.namespaces import NotAllowedError


@pytest.fixture
def host() -> Iterator[Host]:
    """A host with one lease and no dnsmasq running; skipped where namespaces are not allowed."""
    try:
        with Host() as made:
            yield made
    except NotAllowedError as refusal:
        pytest.skip(str(refusal))


@pytest.fixture
def guard(host: Host, tmp_path: Path) -> Iterator[Guard]:
    """A guard with the default settings that has not been started; it must not crash."""
    made = Guard(host, tmp_path / "guard.log")
    yield made
    if made.log.exists():
        assert "Traceback" not in made.log.read_text()


@pytest.fixture
def guarded(host: Host, guard: Guard) -> Guard:
    """The same, running, and trusting a dnsmasq with Debian's defaults."""
    host.bring_up_dnsmasq()
    guard.start()
    guard.wait_for_phase("guarded")
    return guard
