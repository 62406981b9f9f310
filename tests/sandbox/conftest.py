"""A private host for a test, or the reason why there cannot be one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.guard import Guard
from tests.sandbox.host import Host
from tests.sandbox.namespaces import NotAllowedError
from tests.sandbox.processes import wait_for


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
    host.start_dnsmasq()
    # On Debian 13 the start script registers dnsmasq in the background.
    wait_for(host.path("/run/resolvconf/interface/lo.dnsmasq").exists, "registration")
    host.age_upstream_file()
    guard.start()
    guard.wait_for_phase("guarded")
    return guard
