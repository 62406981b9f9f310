"""What everything that can happen to a host costs while dnsguard is there: lookups that fail or are slow."""

import pytest

from tests.sandbox.lookups import tally
from tests.system.cases import Case, play
from tests.system.conftest import Boot
from tests.system.ending import ENDING
from tests.system.faults import FAULTS
from tests.system.installing import INSTALLING
from tests.system.overwriting import OVERWRITING
from tests.system.package import package


@pytest.mark.parametrize("case", [*INSTALLING, *FAULTS, *OVERWRITING, *ENDING], ids=str)
def test_no_more_lookups_are_lost_than_promised(boot: Boot, case: Case) -> None:
    """Every 10 ms, from before it happens until the host is at rest again."""
    seen = tally(play(case, boot(case.kind), [package()]))

    assert seen.lookups > 100
    assert seen.failed + seen.slow <= case.most, seen
