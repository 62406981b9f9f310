"""Twin of dnsguard/core/publishing.py: was it written, and has it answered?"""

from dnsguard.core import actions as do
from dnsguard.core import events as on
from dnsguard.core.guard import decide
from dnsguard.core.moves import jittered
from dnsguard.core.state import State
from dnsguard.core.vocabulary import Kind, Phase, Timer
from tests.core.story import NEW, OLD, POLICY, direct, guarded, kinds, upstreams


def test_what_was_published_is_asked_before_anybody_is_let_go() -> None:
    """READY means: this host resolves."""
    fresh = direct(ready=False, standby=None, published=None, pid=None)
    state, actions = decide(fresh, on.Published(Kind.DIRECT, 1))
    answered, ready = decide(state, on.LookupAnswered(Kind.DIRECT, 1, OLD))

    assert (do.AskPublished(Kind.DIRECT, 1, (OLD,)),) == actions
    assert not state.ready
    assert ((do.SayReady(),), OLD) == (ready, answered.standby)


def test_nobody_is_let_go_twice() -> None:
    """READY is said once."""
    assert () == decide(direct(), on.LookupAnswered(Kind.DIRECT, 1, OLD))[1]


def test_an_answer_to_another_file_is_asked_for_again() -> None:
    """It says nothing of what libc reads now."""
    state = direct(ready=False, generation=2, published=(Kind.DIRECT, 2), upstreams=upstreams(NEW))
    after, actions = decide(state, on.LookupAnswered(Kind.DIRECT, 1, OLD))

    assert not after.ready
    assert (do.AskPublished(Kind.DIRECT, 2, (NEW,)),) == actions


def test_silence_is_asked_again_until_somebody_answers() -> None:
    """Then nobody waits any more."""
    state = direct(ready=False)
    _, later = decide(state, on.LookupFailed(Kind.DIRECT, 1, "silence"))
    _, again = decide(state, on.TimerFired(Timer.ASK))

    assert (jittered(Timer.ASK, POLICY.ask_retry_s),) == later
    assert [do.AskPublished] == kinds(again)
    assert () == decide(direct(), on.LookupFailed(Kind.DIRECT, 1, "silence"))[1]
    assert () == decide(direct(), on.TimerFired(Timer.ASK))[1]


def test_a_host_that_was_let_go_in_doubt_is_asked_about_until_a_server_answers() -> None:
    """The state says "degraded" as long as that is so, and no longer."""
    state = direct(standby=None)
    _, later = decide(state, on.LookupFailed(Kind.DIRECT, 1, "silence"))
    _, again = decide(state, on.TimerFired(Timer.ASK))
    answered, said = decide(state, on.LookupAnswered(Kind.DIRECT, 1, OLD))

    assert (jittered(Timer.ASK, POLICY.ask_retry_s),) == later
    assert [do.AskPublished] == kinds(again)
    assert answered.is_answered
    assert () == said
    assert (state, ()) == decide(state, on.LookupFailed(Kind.DIRECT, 0, "an old list's"))
    assert (state, ()) == decide(state, on.LookupAnswered(Kind.DIRECT, 0, OLD))


def test_a_boot_without_network_does_not_hang() -> None:
    """Dependents are let go, and told why with doubt."""
    state, actions = decide(State(policy=POLICY), on.TimerFired(Timer.READY))

    assert state.ready
    assert (do.SayReady(degraded="no server has answered yet"),) == actions
    assert () == decide(direct(), on.TimerFired(Timer.READY))[1]


def test_a_known_standby_is_not_asked_again() -> None:
    """A question leaves the host only when its answer is of use."""
    assert [] == kinds(decide(guarded(published=None), on.Published(Kind.GUARDED, 1))[1])
    assert do.AskPublished in kinds(decide(direct(published=None, standby=None), on.Published(Kind.DIRECT, 1))[1])


def test_word_of_an_older_file_is_not_news() -> None:
    """A newer one is being written, and has a word of its own."""
    state = guarded(published=None)

    assert (state, ()) == decide(state, on.Published(Kind.DIRECT, 1))


def test_a_file_that_could_not_be_written_is_tried_again() -> None:
    """The old one is still there, whole."""
    state = direct(published=None)
    _, later = decide(state, on.PublishFailed(Kind.DIRECT, 1, "ENOSPC"))
    _, again = decide(state, on.TimerFired(Timer.PUBLISH))

    assert (do.SetTimer(Timer.PUBLISH, POLICY.publish_retry_s),) == later
    assert [do.Publish] == kinds(again)
    assert [] == kinds(decide(direct(), on.TimerFired(Timer.PUBLISH))[1])


def test_a_file_in_doubt_is_published_again_at_a_death() -> None:
    """dnsmasq's file may have been written an instant before; thinking otherwise would leave it there."""
    state, actions = decide(guarded(published=None), on.DnsmasqGone(guarded().pid or 0))

    assert Phase.DIRECT is state.phase
    assert do.Publish in kinds(actions)
