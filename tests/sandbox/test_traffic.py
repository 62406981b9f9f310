"""What a host sends to its upstreams by itself while all is well, counted where it leaves the host."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from tests.sandbox.guard import NO_UNIT, Guard
from tests.sandbox.host import Host
from tests.sandbox.processes import wait_for
from tests.sandbox.upstreams import OTHER_UPSTREAM, UPSTREAM

SNIFFER = Path(__file__).with_name("sniffer.py")
MINUTE_S = 60.0
MOST = 2

CALM = {
    "guarded": ((UPSTREAM,), NO_UNIT, True),
    "guarded, with two questions": ((UPSTREAM,), f'{NO_UNIT}[health]\nquestions = [". SOA", "a.example A"]\n', True),
    "direct, with two upstreams": ((UPSTREAM, OTHER_UPSTREAM), NO_UNIT, False),
}
CHATTY = "chatty"
HOSTS = {**CALM, CHATTY: ((UPSTREAM,), f"{NO_UNIT}[guard]\nforward_interval_s = 5\n", True)}
"""Its upstreams, its settings, and whether there is a dnsmasq."""


def calm_minute(directory: Path, name: str) -> list[str]:
    """Whom a host asked in a minute in which nothing happened."""
    upstreams, settings, with_dnsmasq = HOSTS[name]
    with Host() as host:
        host.start_upstream(OTHER_UPSTREAM)
        host.new_lease(*upstreams)
        if with_dnsmasq:
            host.start_dnsmasq()
        host.age_upstream_file()
        guard = Guard(host, directory / f"{name}.log", settings)
        guard.start()
        guard.wait_for_phase("guarded" if with_dnsmasq else "direct")
        record = directory / f"{name}.packets"
        sniffer = host.popen(["/usr/bin/python3", str(SNIFFER)], output=record)
        wait_for(record.read_text, "sniffer")
        # What the beginning costs is no steady traffic; the seconds that are counted begin after it.
        time.sleep(3.0)
        begin_s = time.monotonic()
        time.sleep(MINUTE_S)
        sniffer.end()
        guard.stop()
        seen = [line.split() for line in record.read_text().splitlines()[1:]]
    return [whom for at_s, whom in seen if float(at_s) >= begin_s]


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[str]]]:
    """All of them side by side: they only wait."""
    directory = tmp_path_factory.mktemp("calm")
    with ThreadPoolExecutor(len(HOSTS)) as pool:
        yield dict(zip(HOSTS, pool.map(partial(calm_minute, directory), HOSTS), strict=True))


@pytest.mark.parametrize("name", CALM)
def test_at_most_two_questions_a_minute_leave_a_host_where_all_is_well(asked: dict[str, list[str]], name: str) -> None:
    """All of them together, and each of them sent once."""
    assert len(asked[name]) <= MOST


def test_a_host_that_asks_more_often_would_be_seen(asked: dict[str, list[str]]) -> None:
    """So that the test above can be told from one that counts nothing."""
    assert len(asked[CHATTY]) > MOST
