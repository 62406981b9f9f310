"""A private host for a test, or the reason why there cannot be one."""

from collections.abc import Iterator

import pytest

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
