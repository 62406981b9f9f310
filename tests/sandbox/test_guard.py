"""What the guard promises, event by event, as libc sees it: a lookup every 10 ms and none of them lost.

All events of one kind of guard happen on one host, one after the other; what cannot be told apart
from a calm day must look like one.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.sandbox.demo import WITHOUT_STANDBY
from tests.sandbox.guard import FORGIVING
from tests.sandbox.host import Host
from tests.sandbox.namespaces import NotAllowedError
from tests.sandbox.report import broken_promises
from tests.sandbox.story import STORY, Act, Event, Told, tell
from tests.sandbox.upstreams import OTHER_UPSTREAM, UPSTREAM

TOLD = {event.name: event for event in STORY}


def short(name: str, lasts_s: float, steps: int = 1) -> Event:
    """An event of the story, less what people do about it in the end."""
    event = TOLD[name]
    return replace(event, steps=event.steps[:steps], lasts_s=lasts_s)


def running(host: Host, *lines: str) -> None:
    """See to it that a dnsmasq of this configuration runs, with the first upstream to ask."""
    host.start_upstream(UPSTREAM)
    host.new_lease(UPSTREAM)
    host.age_upstream_file()
    if host.configure_dnsmasq(*lines) or not host.is_dnsmasq_running():
        host.restart_dnsmasq()


def announce_other(host: Host) -> None:
    host.start_upstream(OTHER_UPSTREAM)
    host.new_lease(OTHER_UPSTREAM)


def restart_broken(host: Host) -> None:
    """Somebody edits its configuration, restarts it, and goes home."""
    host.configure_dnsmasq("no-such-option")
    assert not host.restart_dnsmasq()


def give_port_away(host: Host) -> None:
    """dnsmasq crashes, and before it is started again a server that never answers takes its port."""
    host.kill_dnsmasq()
    host.popen(STRANGER)
    host.run("while ! grep -q ' 0100007F:0035 ' /proc/net/udp; do :; done")
    assert not host.start_dnsmasq()


TAKE_THE_PORT = """
import socket, time
port = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
port.bind(("127.0.0.1", 53))
time.sleep(1000)
"""
STRANGER = ["/usr/bin/python3", "-c", TAKE_THE_PORT]


def empty_upstream_file(host: Host) -> None:
    """In place, as Debian's stop script has it done; dnsmasq goes on, knowing no upstream."""
    host.path("/run/dnsmasq/resolv.conf").write_text("")


def fill_upstream_file(host: Host) -> None:
    host.path("/run/dnsmasq/resolv.conf").write_text(f"nameserver {UPSTREAM}\n")


def die_and_start(host: Host) -> None:
    """As with `Restart=on-failure`."""
    host.kill_dnsmasq()
    host.start_dnsmasq()


def event(name: str, *acts: Act, lasts_s: float, before: Act = running, deaths: int = 0) -> Event:
    """An event to be met by a guard that trusts a running dnsmasq; a second between its steps."""
    steps = tuple((float(second), act) for second, act in enumerate(acts))
    return Event(name, name, before, ("guarded",), steps, lasts_s, deaths)


EVENTS = (
    short("starts-empty", lasts_s=2.0),
    short("new-lease", lasts_s=3.0, steps=2),
    event(
        "new lease, dnsmasq looks by itself",
        announce_other,
        lambda host: host.silence_upstream(UPSTREAM),
        lasts_s=2.5,
    ),
    event("stop", Host.stop_dnsmasq, lasts_s=1.0, deaths=1),
    event("restart with a broken configuration", restart_broken, lasts_s=1.5, deaths=1),
    event("upstream file emptied", empty_upstream_file, fill_upstream_file, lasts_s=2.5),
    event("restarted three times", *[Host.restart_dnsmasq] * 3, lasts_s=4.5, deaths=3),
    event("death and start at once", die_and_start, lasts_s=2.0, deaths=1),
    short("hang", lasts_s=3.0),
    TOLD["comes-back"],
    event("port taken by a stranger", give_port_away, lasts_s=2.5, deaths=1),
)

WITHOUT_STANDBY_EVENTS = (
    event("death", Host.kill_dnsmasq, lasts_s=1.0, deaths=1),
    event("stop", Host.stop_dnsmasq, lasts_s=1.0, deaths=1),
    replace(short("hang", lasts_s=3.0), before=running),
)


Telling = Callable[[Event], Told]


@pytest.fixture(scope="module")
def by_default(tmp_path_factory: pytest.TempPathFactory) -> Telling:
    """All events, met by a guard with the default settings; one of them at a time."""
    return telling(EVENTS, FORGIVING, tmp_path_factory.mktemp("default"))


@pytest.fixture(scope="module")
def without_standby(tmp_path_factory: pytest.TempPathFactory) -> Telling:
    """The same for a guard that may name dnsmasq alone."""
    return telling(WITHOUT_STANDBY_EVENTS, WITHOUT_STANDBY, tmp_path_factory.mktemp("alone"))


def telling(events: tuple[Event, ...], settings: str, directory: Path) -> Telling:
    try:
        told = tell(events, directory, settings)
    except NotAllowedError as refusal:
        pytest.skip(str(refusal))

    def about(wanted: Event) -> Told:
        happened = tuple(each for each in told.happened if each.event is wanted)
        troubles = tuple(trouble for trouble in told.troubles if trouble.startswith(f"{wanted.name}: "))
        return replace(told, happened=happened, troubles=troubles)

    return about


@pytest.mark.parametrize("wanted", EVENTS, ids=lambda event: event.name)
def test_no_lookup_is_lost(by_default: Telling, wanted: Event) -> None:
    """None failed, and none slower than 1.2 s."""
    assert [] == broken_promises(by_default(wanted), standby=True)


@pytest.mark.parametrize("wanted", WITHOUT_STANDBY_EVENTS, ids=lambda event: event.name)
def test_without_a_standby_line_little_is_lost(without_standby: Telling, wanted: Event) -> None:
    """At most 2 lookups at a death, and those of 1.6 s at a hang."""
    assert [] == broken_promises(without_standby(wanted), standby=False)


@pytest.mark.parametrize("name", ["stop", "restart with a broken configuration", "hang", "port taken by a stranger"])
def test_dnsmasq_that_does_not_answer_is_not_named(by_default: Telling, name: str) -> None:
    """At the end of the event libc asks the upstreams; that trust comes back, the next event waits for."""
    told = by_default(next(event for event in EVENTS if event.name == name))

    assert "direct" == [phase for when_s, phase in told.moves if when_s < told.happened[0].end_s][-1]
