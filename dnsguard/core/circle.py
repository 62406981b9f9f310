"""A dnsmasq that reads the file that we publish: it loses its upstreams as soon as libc is told to ask it.

Debian's dnsmasq reads /etc/resolv.conf under IGNORE_RESOLVCONF=yes, and wherever there is no resolvconf. While that
names the real upstreams all is well, so it passes each trial; the guarded file leaves it with the standby, or with
nobody. Without this it would be trusted, fail and be tried again, for ever (met on Debian 12 and 13).
"""

from dataclasses import replace

from dnsguard.core import actions as do
from dnsguard.core.dwell import fall_back
from dnsguard.core.events import Event, ProbeFailed
from dnsguard.core.moves import Step
from dnsguard.core.state import State, file_of
from dnsguard.core.vocabulary import Phase, Timer, Verdict


def leave(state: State, event: ProbeFailed) -> Step:
    """Trust dnsmasq no more; and, if it has just shown that it reads our file, give it no trial for a while."""
    return shun(state) if _is_circular(state, event) else fall_back(state)


def shun(state: State) -> Step:
    """Trust dnsmasq no more, and give it no trial for a while: it failed because it was trusted, and would again."""
    state, actions = fall_back(replace(state, circle=state.pid))
    # Tried again, because it may have been something else; what that costs is a lookup or two.
    return state, (*actions, do.SetTimer(Timer.YIELD, state.policy.yield_s))


def _is_circular(state: State, event: ProbeFailed) -> bool:
    """Whether it holds what the file that we publish leaves it with, and may be reading that.

    One that is known to read its own upstream file holds the same by chance, as when a lease leaves it with the standby
    (seed 3580 of the soak). Another file may be ours by a mount that no path shows.
    """
    nature = state.nature if state.understood else None
    if nature and not nature.unread and not nature.stray:
        return False
    if event.verdict is not Verdict.LACKING or event.held is None or not state.is_published:
        return False
    return state.phase is Phase.GUARDED and set(event.held) == set(file_of(state).nameservers[1:])


def try_again(state: State, event: Event) -> Step:
    """It has had its while: the next answer may lead to a trial."""
    return replace(state, circle=None), ()
