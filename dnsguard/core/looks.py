"""Judgements about what the files say: what is urgent, what is new, whose file resolv.conf is.

What is urgent (dnsmasq's end is announced, our file was overwritten) is acted on at the first look. What
is new must be seen again after it had time to settle: a file may be half-written.
"""

from dataclasses import replace

from dnsguard.core import actions as do
from dnsguard.core.actions import Action
from dnsguard.core.circle import shun
from dnsguard.core.events import Event, SourcesRead
from dnsguard.core.moves import Step, go_direct, hand_over, leads_to, probe, publish, read, resume
from dnsguard.core.remembered import says_more
from dnsguard.core.state import State, file_of
from dnsguard.core.upstreams import Reading, Upstreams
from dnsguard.core.vocabulary import Phase, Timer


def stir(state: State, event: Event) -> Step:
    """Something moved: look, or look again after the pause."""
    return (replace(state, stirred=True), ()) if state.pausing else read(state)


def pause(state: State, event: Event) -> Step:
    """The pause is over: look again if the files moved meanwhile."""
    return read(state) if state.stirred else (replace(state, pausing=False), ())


def settle(state: State, event: Event) -> Step:
    """A new list had time to settle: see whether it is still there."""
    return read(state, settled=True) if state.candidate else (state, ())


def look(state: State, event: Event) -> Step:
    """Nothing was heard for long: look all the same; soon while no upstream is known, for a network makes no sound."""
    state, actions = stir(state, event)
    every_s = state.policy.look_s if state.upstreams else state.policy.find_s
    return state, (*actions, do.SetTimer(Timer.LOOK, every_s))


@leads_to(Phase.DIRECT, Phase.YIELDED)
def weigh(state: State, event: SourcesRead) -> Step:
    """Take in one look at the files: what is new, what is ending, whose resolv.conf is, who is missing."""
    reading = event.reading
    # Kept before anything is written over it.
    actions: tuple[Action, ...] = (do.KeepNewcomer(),) if reading.newcomer else ()
    leaving = _announces_end(state, reading)
    if reading.registered and state.registered is False:
        # Its file follows, after a second at most: not before that has it reason to be told again.
        actions += (do.SetTimer(Timer.RELOAD, state.policy.offer_wait_s),)
    state = replace(
        state,
        offered=reading.offered,
        registered=reading.registered,
        complaints=reading.complaints,
        resolved_asks=reading.resolved_asks,
    )
    state, more = _consider(state, event)
    actions += more
    state, more = _remember(state, reading)
    actions += more
    if (leaving or state.bar) and state.phase in (Phase.PROVING, Phase.GUARDED):
        state, more = shun(state) if state.bar else go_direct(state)
        actions += more
    state, more = _defend(state, reading)
    actions += more
    state, more = hand_over(state)
    actions += more
    return state, actions if state.pid else (*actions, do.FindDnsmasq())


@leads_to(Phase.DIRECT, Phase.PROVING, Phase.YIELDED)
def weigh_first(state: State, event: SourcesRead) -> Step:
    """The same at the start: what the guard before us left may stay while dnsmasq is on trial."""
    return weigh(state, event)


@leads_to(Phase.DIRECT, Phase.STARTING)
def weigh_aside(state: State, event: SourcesRead) -> Step:
    """The same while standing back: our link may have been put back by somebody."""
    return weigh(state, event)


def _announces_end(state: State, reading: Reading) -> bool:
    """Whether dnsmasq is about to stop, or to lose its upstreams; libc would hear last.

    Debian 12 takes its record away and empties its file 17-29 ms before it stops dnsmasq (measured).
    A file that names others because the list is a new one takes nothing away: that is for _consider.
    """
    emptied = reading.offered == () != state.offered and not state.has_own_servers
    deprived = state.is_offered and not replace(state, offered=reading.offered).is_offered
    return reading.registered is False or emptied or (deprived and reading.upstreams == state.upstreams)


def _consider(state: State, event: SourcesRead) -> Step:
    """Accept a list that is still there after its time; an empty look never replaces a good list."""
    found = event.reading.upstreams
    # What was known last is of use until a source speaks, and never again.
    if found is None or found == state.upstreams or (event.reading.from_memory and state.upstreams):
        return replace(state, candidate=None), ()
    if found != state.candidate:
        return replace(state, candidate=found), (do.SetTimer(Timer.SETTLE, state.policy.settle_s),)
    return _accept(replace(state, candidate=None), found, event.reading) if event.settled else (state, ())


def _remember(state: State, reading: Reading) -> Step:
    """Keep a list that a source has named, with the networks that this host is in, for a time when none speaks."""
    named = state.upstreams is not None and reading.upstreams == state.upstreams and not reading.from_memory
    generation, networks = state.kept or (0, ())
    known = generation == state.generation and not says_more(networks, reading.networks)
    if not named or not reading.networks or known:
        return state, ()
    state = replace(state, kept=(state.generation, reading.networks))
    return state, (do.KeepList(file_of(replace(state, phase=Phase.DIRECT)), reading.networks),)


def _accept(state: State, found: Upstreams, reading: Reading) -> Step:
    known = state.upstreams
    if known and (known.nameservers, known.demanded) == (found.nameservers, found.demanded):
        # Only search or options changed: dnsmasq has no part in that.
        return publish(replace(state, upstreams=found, published=None))
    generation = state.generation + 1
    # The first list is not a change: a dnsmasq that was there before the guard is asked, not told.
    reloaded = generation if known is None else state.reloaded
    # A probe that is under way asks for the old list, so it is no longer waited for.
    state = replace(
        state, upstreams=found, generation=generation, standby=None, reloaded=reloaded, reloads=0, asked_update=False
    )
    state = replace(state, probing=False, held=None, spared=(), returning=(), fault=None, fault_tries=0)
    if known is None and _is_heir(state, reading):
        # An upgrade must not flip: it stays until the trial, which may not fail once, has an end.
        return probe(replace(state, phase=Phase.PROVING))
    return publish(state) if state.phase is Phase.YIELDED else go_direct(state)


def _is_heir(state: State, reading: Reading) -> bool:
    """Whether libc was left with a dnsmasq that the guard before us had proved, and that is still there."""
    left = reading.inherited[:1] == (state.policy.dnsmasq_address,)
    ready = state.registered is not False and (state.is_offered or state.offered is None)
    return left and ready and state.phase is Phase.STARTING and state.is_eligible


def _defend(state: State, reading: Reading) -> Step:
    """Write our file again, and ask for our link back; after too many rounds without peace, stand back."""
    # A file that was spoilt and is being written anyway needs no second writing.
    spoilt = reading.spoilt_by is not None and state.published is not None
    if spoilt:
        state = replace(state, published=None)
    if state.phase is Phase.YIELDED:
        state = replace(state, attached=reading.attached)
        return resume(state) if reading.attached and reading.spoilt_by is None else (state, ())
    had_link = state.attached is True
    lost = spoilt or (had_link and not reading.attached)
    state = replace(state, attached=reading.attached, rounds=state.rounds + lost)
    if lost and state.rounds >= state.policy.trample_limit:
        return _stand_back(state, reading)
    state, actions = publish(state) if spoilt else (state, ())
    if not reading.attached:
        return state, (*actions, do.AskAttach())
    peace_begins = state.rounds and (spoilt or not had_link)
    return state, (*actions, do.SetTimer(Timer.QUIET, state.policy.quiet_s)) if peace_begins else actions


def _stand_back(state: State, reading: Reading) -> Step:
    """Leave resolv.conf to the other program; our own file, if it is not the battlefield, names the upstreams."""
    state = replace(state, phase=Phase.YIELDED, passes=0, failures=0, forward_due=False, revisited=False)
    state, actions = publish(state) if reading.spoilt_by is None else (state, ())
    return state, (*actions, do.SetTimer(Timer.YIELD, state.policy.yield_s))
