"""Twin of dnsguard/core/outlook.py: what comes next is what `decide` then does."""

from dataclasses import replace

import pytest

from dnsguard.core import actions as do
from dnsguard.core import events as on
from dnsguard.core.guard import decide
from dnsguard.core.nature import Nature
from dnsguard.core.outlook import outlook
from dnsguard.core.state import State
from dnsguard.core.vocabulary import Fault, Phase, Timer
from tests.core.story import OLD, PID, POLICY, direct, failed, guarded, kinds, passed, proving

LACKING = direct(held=(), probing=False)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (State(), "as soon as a source names an upstream"),
        (direct(refused="no space", published=None), "written again every 0.5 s"),
        (direct(pid=None), "looked for every 1 s"),
        (direct(nature=Nature(port=0)), "configured in another way"),
        (direct(circle=PID), "tried again within 5 min"),
        (direct(registered=False), "registered with resolvconf again"),
        (direct(dwelling=True), "tried again within 5 s"),
        (direct(), "it is on trial"),
        (direct(reloaded=0, offered=()), "SIGHUP as soon as its own file names the upstreams"),
        (direct(reloaded=0), "is sent SIGHUP now"),
        (replace(LACKING, offered=None), "given no file"),
        (replace(LACKING, reloads=1), "SIGHUP once more (1 of 3 so far)"),
        (replace(LACKING, reloads=3), "resolvconf is asked"),
        (replace(LACKING, reloads=3, asked_update=True), "is ended for systemd to start another (0 of 5 so far)"),
        (replace(LACKING, reloads=3, asked_update=True, restarts=5), "everything else has been tried"),
        (proving(), "after 3 more forwarded answers"),
        (proving(fault=Fault.NETWORK), "the network is waited for"),
        (guarded(), f"fails 2 probes in a row, libc is given {OLD}"),
        (guarded(phase=Phase.YIELDED), "within 5 min, or when our link is put back"),
        (guarded(phase=Phase.STOPPING), "`dnsguard detach`"),
    ],
)
def test_each_state_says_what_comes_next(state: State, words: str) -> None:
    """In one sentence."""
    assert words in outlook(state)


@pytest.mark.parametrize(
    ("state", "step"),
    [
        (replace(LACKING, reloads=1), do.Reload),
        (replace(LACKING, reloads=3), do.AskUpdate),
        (replace(LACKING, reloads=3, asked_update=True), do.EndDnsmasq),
    ],
)
def test_the_next_step_towards_a_reload_is_the_one_that_is_taken(state: State, step: type) -> None:
    """The words and the judgement may not drift apart."""
    assert step in kinds(decide(state, on.TimerFired(Timer.RELOAD))[1])


def test_the_numbers_are_those_that_decide() -> None:
    """As many answers, and as many failures, as it says."""
    trial, trusted = proving(), guarded()
    for left in range(POLICY.rise, 0, -1):
        assert f"after {left} more" in outlook(trial)
        trial = replace(decide(trial, passed())[0], probing=True)
    for _ in range(POLICY.fall):
        assert Phase.GUARDED is trusted.phase
        trusted = replace(decide(trusted, failed())[0], probing=True)

    assert (Phase.GUARDED, Phase.DIRECT) == (trial.phase, trusted.phase)
