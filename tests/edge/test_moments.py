"""Real links in a namespace of their own, and a real timer; no test sets a clock, for there is only one."""

import asyncio
import errno
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dnsguard.core.events import MomentPassed
from dnsguard.core.vocabulary import Moment
from dnsguard.edge import moments
from dnsguard.edge.moments import Clocks, Moments, open_timer
from tests.fakes import ROOT

DEADLINE_S = 10.0


@contextmanager
def listening(**seams: object) -> Iterator[tuple[asyncio.AbstractEventLoop, list[MomentPassed], list[str]]]:
    """An edge that listens, what it heard, and what it could not."""
    loop = asyncio.new_event_loop()
    heard: list[MomentPassed] = []
    troubles: list[str] = []
    edge = Moments(loop, heard.append, troubles.append, **seams)  # type: ignore[arg-type]
    edge.start()
    try:
        yield loop, heard, troubles
    finally:
        edge.close()
        edge.close()
        loop.close()


def run_until(loop: asyncio.AbstractEventLoop, condition: Callable[[], object]) -> None:
    """Let the loop run until it holds."""

    async def wait() -> None:
        while not condition():
            await asyncio.sleep(0.005)

    loop.run_until_complete(asyncio.wait_for(wait(), DEADLINE_S))


# The clock ----------------------------------------------------------------------------------------


class Leaps:
    """A descriptor that is readable when told so, and whose read fails as that of the timer does."""

    def __init__(self, number: int = errno.ECANCELED) -> None:
        self._number = number
        self.descriptor = -1

    def open(self) -> int:
        """As open_timer()."""
        self.descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        return self.descriptor

    def leap(self) -> None:
        """Make it readable."""
        os.eventfd_write(self.descriptor, 1)

    def read(self, descriptor: int, size: int) -> bytes:
        """As os.read() of a timer that was cancelled."""
        os.read(descriptor, size)
        raise OSError(self._number, os.strerror(self._number))


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (Clocks(5000.0, 10.5, 10.5), MomentPassed(Moment.CLOCK, "the clock was set by +3999.500 s")),
        (Clocks(400.0, 10.5, 10.5), MomentPassed(Moment.CLOCK, "the clock was set by -600.500 s")),
        (Clocks(8200.5, 10.5, 7210.5), MomentPassed(Moment.RESUME, "this host has slept for 7200 s")),
    ],
    ids=["set forth", "set back", "slept"],
)
def test_leap_is_told_for_what_it_is(after: Clocks, expected: MomentPassed) -> None:
    """The time of day leaps at both; only in a sleep does CLOCK_BOOTTIME run away from CLOCK_MONOTONIC."""
    leaps, said = Leaps(), iter([Clocks(1000.0, 10.0, 10.0), after, after])
    with listening(open_clock=leaps.open, read=leaps.read, clocks=lambda: next(said)) as (loop, heard, troubles):
        leaps.leap()
        run_until(loop, lambda: heard)
        assert [expected] == heard
        # The timer goes on waiting; the next leap is measured from this one.
        leaps.leap()
        run_until(loop, lambda: len(heard) > 1)

    assert MomentPassed(Moment.CLOCK, "the clock was set by +0.000 s") == heard[1]
    assert [] == troubles


def test_timer_that_wakes_us_for_another_reason_is_no_leap() -> None:
    """Only ECANCELED says that the clock has leapt."""
    leaps = Leaps(errno.EAGAIN)
    with listening(open_clock=leaps.open, read=leaps.read) as (loop, heard, _):
        leaps.leap()
        run_until(loop, lambda: not is_readable(leaps.descriptor))

        assert [] == heard


def is_readable(descriptor: int) -> bool:
    """Whether nobody has read it yet."""
    return "eventfd-count:                0" not in Path(f"/proc/self/fdinfo/{descriptor}").read_text()


def test_real_timer_waits_for_leaps_of_the_time_of_day_and_for_nothing_else() -> None:
    """What the kernel says of it: CLOCK_REALTIME is 0; ABSTIME and CANCEL_ON_SET are 1 and 2."""
    timer = open_timer()
    try:
        told = Path(f"/proc/self/fdinfo/{timer}").read_text()
        assert not os.get_inheritable(timer)
        with pytest.raises(BlockingIOError):
            os.read(timer, 8)
    finally:
        os.close(timer)

    assert ["clockid: 0", "ticks: 0", "settime flags: 03"] == [
        line for line in told.splitlines() if line.startswith(("clockid", "ticks", "settime"))
    ]


def test_what_cannot_be_had_is_said_and_the_rest_is_heard() -> None:
    """A sandbox without timers must not make us deaf to links."""

    def refuse() -> int:
        raise OSError(errno.EPERM, "Operation not permitted")

    with listening(open_clock=refuse) as (_, _, troubles):
        assert 1 == len(troubles)
        assert "Operation not permitted" in troubles[0]


def test_refused_netlink_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """As under RestrictAddressFamilies= without AF_NETLINK."""

    def refuse() -> socket.socket:
        raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")

    monkeypatch.setattr(moments, "_open_links", refuse)
    with listening() as (_, heard, troubles):
        assert (1, []) == (len(troubles), heard)
        assert "links and addresses cannot be heard" in troubles[0]


# Links and addresses ------------------------------------------------------------------------------

# Each step of a play: `ip` is told this, and what is heard by then is noted. It ends with a link that is heard of, so
# that whatever comes before has been heard, too, or never will be.
PLAY = """
import asyncio, json, socket, subprocess, sys
from pathlib import Path
from dnsguard.edge.moments import Moments

loop, heard = asyncio.new_event_loop(), []
edge = Moments(loop, lambda moment: heard.append(moment.detail), sys.exit)
edge.start()
for kind in ("all", "default"):
    Path(f"/proc/sys/net/ipv6/conf/{kind}/disable_ipv6").write_text("1")

def ip(*lines):
    subprocess.run(["ip", "-batch", "-"], input="\\n".join(lines), text=True, check=True)

async def until(condition):
    while not condition():
        await asyncio.sleep(0.005)

def hear(*lines, last):
    heard.clear()
    ip(*lines)
    loop.run_until_complete(asyncio.wait_for(until(lambda: any(last in each for each in heard)), 10))
    told.append(list(heard))

told = []
{steps}
edge.close()
loop.close()
print(json.dumps(told))
"""


def play(steps: str) -> list[list[str]]:
    """What was heard in a network of its own, step by step; skipped where there cannot be one."""
    private = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--net", "--map-root-user"]
    if (refused := subprocess.run([*private, "true"], capture_output=True, text=True)).returncode:
        pytest.skip(f"no network namespace here: {refused.stderr.strip()}")
    script = PLAY.replace("{steps}", steps)
    ran = subprocess.run(
        [*private, sys.executable, "-W", "error", "-c", script],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": ROOT},
    )  # fmt: skip
    assert "" == ran.stderr
    told: list[list[str]] = json.loads(ran.stdout)
    return told


LINKS = """
hear("link add eth7 type veth peer name eth8", last="eth")
hear("link set eth8 up", "link set eth7 up", last="eth")
hear("address add 198.51.100.2/24 dev eth7", last="address")
hear("link set eth7 down", last="eth")
hear("link set eth8 down", last="eth8")
hear("link delete eth7", last="gone")
"""


def test_links_and_addresses_that_come_and_go_are_heard() -> None:
    """Each at once, and by its name."""
    came, up, address, down, _, gone = play(LINKS)

    for links in (came, up):
        assert set(links) <= {f"the link {name} has come, or changed" for name in ("eth7", "eth8")}
    assert "an address of eth7 has come, or changed" in address
    # That the carrier has come may be told only now.
    assert {"the link eth7 has come, or changed", "the link eth8 has come, or changed"} & set(down)
    assert "has gone" in gone[-1]


AGAIN = """
hear("link add eth7 type veth peer name eth6", last="eth")
hear("link set eth7 up", last="eth7")
hear("address add 198.51.100.2/24 dev eth7", last="address")
hear("address change 198.51.100.2/24 dev eth7 valid_lft 900 preferred_lft 600",
     "address change 198.51.100.2/24 dev eth7 valid_lft 800 preferred_lft 500",
     "link set eth7 mtu 1400", "link set eth7 alias again",
     "link add eth8 type veth peer name eth9", last="eth")
hear("address delete 198.51.100.2/24 dev eth7", last="address")
"""


def test_what_is_announced_again_is_no_news() -> None:
    """A router that announces its prefix every few seconds must not send us to the upstreams as often."""
    *_, again, gone = play(AGAIN)

    assert set(again) <= {f"the link {name} has come, or changed" for name in ("eth8", "eth9")}
    assert "an address of eth7 has gone" in gone


STORM = """
edge._links.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
hear("link add eth7 type veth",
     *(f"link set eth7 {{way}}" for _ in range(500) for way in ("up", "down")), last="more than could be heard")
hear("link add eth8 type veth peer name eth9", last="eth")
""".replace("{{", "{").replace("}}", "}")


def test_storm_that_overflows_is_a_few_hints_and_the_ear_stays_open() -> None:
    """What was lost may have been anything: that is a hint, too."""
    storm, after = play(STORM)

    assert len(storm) < 20
    assert set(after) <= {f"the link {name} has come, or changed" for name in ("eth8", "eth9")}


def test_words_that_are_cut_off_are_passed_over() -> None:
    """The kernel does not send such; if it did, that must not be the end of the daemon."""
    whole = moments._HEADER.pack(16, moments._NEW_LINK, 0, 0, 0)

    assert [] == list(moments._split(whole[:-1]))
    assert [] == list(moments._split(moments._HEADER.pack(3, moments._NEW_LINK, 0, 0, 0)))
    assert [(moments._NEW_LINK, b"")] == list(moments._split(whole))
    assert b"" == moments._address_in(bytes(8) + b"\0\0\0\0")
