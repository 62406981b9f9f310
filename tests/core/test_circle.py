"""Twin of dnsguard/core/circle.py: a dnsmasq that reads what we publish is not tried over and over."""

from dataclasses import replace

import pytest

from dnsguard.core import actions as do
from dnsguard.core import events as on
from dnsguard.core.banner import status_line
from dnsguard.core.guard import decide
from dnsguard.core.nature import Nature
from dnsguard.core.state import State
from dnsguard.core.vocabulary import Kind, Phase, Standby, Timer, Verdict
from dnsguard.core.words import say
from tests.core.story import NEW, OLD, PID, POLICY, direct, failed, guarded, look, passed, story, upstreams

ALONE = replace(POLICY, standby=Standby.NO)
DOUBTED = Nature(unread=("a file",))
ALWAYS = replace(POLICY, standby=Standby.YES)
TWO = guarded(upstreams=upstreams(OLD, NEW), offered=(OLD, NEW), policy=ALWAYS)


def left_with(*held: str) -> on.ProbeFailed:
    """dnsmasq lacks what is demanded, and holds these."""
    return replace(failed(Verdict.LACKING), held=held)


@pytest.mark.parametrize(
    ("state", "held"),
    [
        (guarded(policy=ALONE, nature=DOUBTED), ()),
        (guarded(offered=None, nature=DOUBTED), ()),
        (replace(TWO, nature=DOUBTED), (OLD,)),
    ],
)
def test_who_holds_what_our_file_leaves_it_with_reads_our_file(state: State, held: tuple[str, ...]) -> None:
    """The standby, or nobody."""
    after, actions = decide(state, left_with(*held))

    assert (Phase.DIRECT, PID) == (after.phase, after.circle)
    assert do.SetTimer(Timer.YIELD, POLICY.yield_s) in actions
    assert "dnsmasq-circular" == say(state, left_with(*held), after, actions).code
    assert "needs one of its own" in status_line(replace(after, published=(Kind.DIRECT, 1)))


@pytest.mark.parametrize(
    ("state", "event"),
    [
        (guarded(policy=ALWAYS, nature=DOUBTED), left_with()),
        (guarded(nature=DOUBTED), failed(Verdict.LACKING)),
        (guarded(nature=DOUBTED), failed(Verdict.CLOSED)),
        (guarded(nature=DOUBTED, published=None), left_with()),
        (TWO, left_with(OLD)),
        (guarded(policy=ALONE), left_with()),
    ],
)
def test_any_other_loss_is_just_a_loss(state: State, event: on.ProbeFailed) -> None:
    """The unknown, a death, a file being written, a known configuration: the next good answer leads to a trial."""
    assert (Phase.DIRECT, None) == (decide(state, event)[0].phase, decide(state, event)[0].circle)


def test_it_is_given_no_trial_until_its_while_is_over() -> None:
    """In `direct` it reads the real upstreams, and would pass each trial."""
    circular = direct(circle=PID)

    assert Phase.DIRECT is story(circular, passed(forward=False), passed(forward=False)).phase
    assert Phase.PROVING is story(circular, on.TimerFired(Timer.YIELD), passed(forward=False)).phase


@pytest.mark.parametrize(
    ("state", "event"),
    [
        (direct(circle=PID), on.DnsmasqFound(PID + 1)),
        (direct(circle=PID), on.SettingsChanged(POLICY)),
        (direct(circle=PID, phase=Phase.YIELDED, attached=False), look(OLD)),
    ],
)
def test_a_new_process_or_new_settings_begin_afresh(state: State, event: on.Event) -> None:
    """Whoever mends it starts dnsmasq again."""
    assert decide(state, event)[0].circle is None
