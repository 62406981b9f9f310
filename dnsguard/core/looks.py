"""Judgements about what the files say: what is urgent, what is new, whose file resolv.conf is."""

from dataclasses import replace

from dnsguard.core import actions as do
from dnsguard.core.events import Event, SourcesRead
from dnsguard.core.moves import Step, go_direct, hand_over, leads_to, publish, read, resume
from dnsguard.core.state import State
from dnsguard.core.upstreams import Upstreams
from dnsguard.core.vocabulary import Phase, Timer


def stir(state: State, event: Event) -> Step:
    """Something moved: look, or look again when the files have settled."""
    return (replace(state, stirred=True), ()) if state.settling else read(state)


def settle(state: State, event: Event) -> Step:
    """The files had time to settle: look again if they moved meanwhile."""
    return read(state) if state.stirred else (replace(state, settling=False), ())


def look(state: State, event: Event) -> Step:
    """Nothing was heard for long: look all the same."""
    state, actions = stir(state, event)
    return state, (*actions, do.SetTimer(Timer.LOOK, state.policy.look_s))


@leads_to(Phase.DIRECT, Phase.YIELDED)
def weigh(state: State, event: SourcesRead) -> Step:
    """Take in one look at the files: what is new, what is ending, whose resolv.conf is, who is missing."""
    reading = event.reading
    emptied = reading.offered == () != state.offered
    state = replace(state, offered=reading.offered, registered=reading.registered, complaints=reading.complaints)
    state, actions = _consider(state, reading.upstreams)
    if (emptied or reading.registered is False) and state.phase in (Phase.PROVING, Phase.GUARDED):
        # dnsmasq's end is announced: Debian 12 takes its record away and empties its upstream file
        # 17-29 ms before it stops dnsmasq (measured); libc would hear last.
        state, more = go_direct(state)
        actions += more
    state, more = _defend(state, reading.attached)
    actions += more
    state, more = hand_over(state)
    actions += more
    return state, actions if state.pid else (*actions, do.FindDnsmasq())


@leads_to(Phase.DIRECT, Phase.STARTING)
def weigh_aside(state: State, event: SourcesRead) -> Step:
    """The same while standing back: our link may have been put back by somebody."""
    return weigh(state, event)


def _consider(state: State, found: Upstreams | None) -> Step:
    """Accept a list that was read twice alike; an empty look never replaces a good list."""
    if found is None or found == state.upstreams:
        return replace(state, candidate=None), ()
    if found == state.candidate:
        return _accept(replace(state, candidate=None), found)
    timer = () if state.settling else (do.SetTimer(Timer.SETTLE, state.policy.settle_s),)
    return replace(state, candidate=found, settling=True, stirred=True), timer


def _accept(state: State, found: Upstreams) -> Step:
    known = state.upstreams
    if known and (known.nameservers, known.demanded) == (found.nameservers, found.demanded):
        # Only search or options changed: dnsmasq has no part in that.
        return publish(replace(state, upstreams=found, published=None))
    generation = state.generation + 1
    # The first list is not a change: a dnsmasq that was there before the guard is asked, not told.
    reloaded = generation if known is None else state.reloaded
    # A probe that is under way asks for the old list, so it is no longer waited for.
    state = replace(state, upstreams=found, generation=generation, standby=None, reloaded=reloaded, reloads=0)
    state = replace(state, probing=False, held=None)
    return publish(state) if state.phase is Phase.YIELDED else go_direct(state)


def _defend(state: State, attached: bool) -> Step:
    """Ask for our link back; after too many rounds without peace, stand back."""
    lost = state.attached is True and not attached
    state = replace(state, attached=attached, rounds=state.rounds + lost)
    if attached:
        if state.phase is Phase.YIELDED:
            return resume(state)
        return state, (do.SetTimer(Timer.QUIET, state.policy.quiet_s),) if state.rounds else ()
    if state.phase is Phase.YIELDED:
        return state, ()
    if state.rounds < state.policy.trample_limit:
        return state, (do.AskAttach(),)
    state, actions = publish(replace(state, phase=Phase.YIELDED, passes=0, failures=0, forward_due=False))
    return state, (*actions, do.SetTimer(Timer.YIELD, state.policy.yield_s))
