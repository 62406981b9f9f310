"""Booted machines for tests, each on both suites, or the reason why there cannot be any."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.sandbox.namespaces import NotAllowedError
from tests.system.kinds import DNSMASQ, GUARDED, PLAIN, RESOLVCONF, Shelf
from tests.system.machine import Machine, root_of

SUITES = ("bookworm", "trixie")

MACHINES = pytest.StashKey[list[Machine]]()

Boot = Callable[[str], Machine]
"""Boots a machine of a kind."""


@pytest.fixture(scope="session", params=SUITES)
def suite(request: pytest.FixtureRequest) -> str:
    """The Debian that is booted."""
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def shelf(suite: str, tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """Where this suite's machines come from; skipped where none can be booted."""
    try:
        root = root_of(suite)
    except NotAllowedError as refusal:
        pytest.skip(str(refusal))
    return Shelf(root, tmp_path_factory.mktemp(suite))


@pytest.fixture
def boot(shelf: Shelf, request: pytest.FixtureRequest) -> Iterator[Boot]:
    """Boots machines that end with the test; if it fails, their journals stand in its report."""
    machines: list[Machine] = []
    request.node.stash[MACHINES] = machines
    with ExitStack() as stack:

        def booted(kind: str) -> Machine:
            machines.append(stack.enter_context(shelf.booted(kind)))
            return machines[-1]

        yield booted


@pytest.fixture
def plain(boot: Boot) -> Machine:
    """A machine as cloud images are: no resolvconf, no dnsmasq."""
    return boot(PLAIN)


@pytest.fixture
def with_resolvconf(boot: Boot) -> Machine:
    """A machine with resolvconf, and no dnsmasq."""
    return boot(RESOLVCONF)


@pytest.fixture
def with_dnsmasq(boot: Boot) -> Machine:
    """A machine with resolvconf and dnsmasq, which answers."""
    return boot(DNSMASQ)


@pytest.fixture
def guarded(boot: Boot) -> Machine:
    """A machine with resolvconf, dnsmasq and dnsguard, which trusts it."""
    return boot(GUARDED)


def pytest_exception_interact(node: pytest.Item | pytest.Collector, report: pytest.TestReport) -> None:
    """Put the end of each machine's journal into the report of a test that failed."""
    for machine in node.stash.get(MACHINES, []):
        journal = machine.run(["journalctl", "--no-pager", "--lines=100", "--output=short-monotonic"], check=False)
        report.sections.append(("the machine's journal", journal.stdout))
