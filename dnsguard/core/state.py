"""Everything that the guard knows between two events, and what follows from it alone."""

from dataclasses import dataclass, field, replace

from dnsguard.core import loops
from dnsguard.core.nature import Nature, standby_rule
from dnsguard.core.policy import Policy
from dnsguard.core.resolvconf import ResolvConf
from dnsguard.core.upstreams import Upstreams
from dnsguard.core.vocabulary import Fault, Kind, Phase


@dataclass(frozen=True, slots=True)
class State:
    """What is known. Changed by `dataclasses.replace` in guard.py, nowhere else.

    Attributes:
        generation: number of the accepted list; 0 while there is none.
        upstreams: the accepted list; None only while `starting`, or before one was ever known.
        candidate: a list that was read, and is accepted if it is still there when SETTLE fires.
        offered, registered, attached, complaints, resolved_asks: of the last Reading; attached None before the first.
        pausing: the PAUSE timer runs; `stirred`: read again when it fires.
        pid: the process that is dnsmasq; None while there is none.
        missing: why there is none, in words.
        circle: the process that has shown that it reads the file that we publish, and is given no trial.
        nature: how the dnsmasq that was met last is configured; None before the first.
        understood: that is the process of `pid`.
        probing: a probe for this generation and process is under way.
        passes, failures: consecutive results in this phase; passes at most `rise`.
        forward_due: the next probe must be forwarded.
        revisited: one was forwarded because the world had moved, and the next that is due will see what moves now.
        fault: whose fault the last forwarded question's failure was, if not dnsmasq's own.
        fault_tries: forwarded questions that have failed by it in a row, no more than are counted.
        held: what dnsmasq held when it was last asked in this generation; None if that is unknown.
        reloaded: the generation for which SIGHUP was last sent to this process.
        reloads: how many SIGHUPs this generation has cost this process.
        asked_update: resolvconf was asked to write this process' file for this list again.
        restarts: how many processes were ended for it within the window.
        dwelling: a trusted dnsmasq has failed so short a time ago that it is not tried again yet.
        falls: how often one has, without a window of peace between; no more than are counted.
        published: kind and generation of the file that libc reads; None if that is not known.
        refused: why the file could not be written when that was last tried; empty if it could.
        standby: the published upstream that answered first in this generation.
        spared: upstreams of this generation that did not answer while others did; they are named last.
        returning: those of them that have answered once since.
        ready: dependents were let go.
        kept: the generation and the networks that the list was last kept for; None before.
        rounds: times that resolv.conf was overwritten without peace between.
    """

    policy: Policy = field(default_factory=Policy)
    phase: Phase = Phase.STARTING
    generation: int = 0
    upstreams: Upstreams | None = None
    candidate: Upstreams | None = None
    offered: tuple[str, ...] | None = None
    registered: bool | None = None
    attached: bool | None = None
    complaints: tuple[str, ...] = ()
    resolved_asks: tuple[str, ...] = ()
    pausing: bool = False
    stirred: bool = False
    pid: int | None = None
    missing: str = ""
    circle: int | None = None
    nature: Nature | None = None
    understood: bool = False
    probing: bool = False
    passes: int = 0
    failures: int = 0
    forward_due: bool = False
    revisited: bool = False
    fault: Fault | None = None
    fault_tries: int = 0
    held: tuple[str, ...] | None = None
    reloaded: int = 0
    reloads: int = 0
    asked_update: bool = False
    restarts: int = 0
    dwelling: bool = False
    falls: int = 0
    published: tuple[Kind, int] | None = None
    refused: str = ""
    standby: str | None = None
    spared: tuple[str, ...] = ()
    returning: tuple[str, ...] = ()
    ready: bool = False
    kept: tuple[int, tuple[str, ...]] | None = None
    rounds: int = 0

    @property
    def wanted(self) -> Kind:
        """The kind of file that this phase calls for."""
        return Kind.GUARDED if self.phase is Phase.GUARDED else Kind.DIRECT

    @property
    def is_published(self) -> bool:
        """Whether libc reads what this phase calls for."""
        return self.published == (self.wanted, self.generation)

    @property
    def nameservers(self) -> tuple[str, ...]:
        """The upstreams, those that do not answer last: libc waits five seconds for each, and reads only three."""
        known = self.upstreams.nameservers if self.upstreams else ()
        return tuple(sorted(known, key=self.spared.__contains__))

    @property
    def is_answered(self) -> bool:
        """Whether libc's servers need not be asked any more: one has answered, or dnsmasq is trusted."""
        return self.ready and (self.standby is not None or self.wanted is Kind.GUARDED)

    @property
    def has_own_servers(self) -> bool:
        """Whether dnsmasq reads no upstream file: then nothing is demanded of it but that it holds any server."""
        return self.understood and self.nature is not None and self.nature.has_own_servers

    @property
    def demanded(self) -> tuple[str, ...]:
        """What dnsmasq must hold of the known upstreams."""
        return () if self.upstreams is None or self.has_own_servers else self.upstreams.demanded

    @property
    def bar(self) -> str:
        """Why libc can never be given this dnsmasq, in words; empty if it can, or is not understood yet."""
        return next(filter(None, self.bars), "")

    @property
    def bars(self) -> tuple[str, str, str]:
        """The same by its kind: libc cannot reach it, it asks itself alone, it reads what is published."""
        if self.nature is None or not self.understood:
            return "", "", ""
        unreachable = self.nature.bar(self.policy.dnsmasq_address, self.policy.dnsmasq_port)
        return unreachable, loops.bar(self.nature, self.resolved_asks), self._starved(self.nature)

    def _starved(self, nature: Nature) -> str:
        """Why the file that names dnsmasq would rob it of its upstreams, and the mend; empty if it would not."""
        if not nature.mirror or nature.may_ask_others or self.upstreams is None:
            return ""
        left = file_of(replace(self, phase=Phase.GUARDED)).nameservers[1:]
        if set(self.demanded) <= set(left):
            return ""
        what = f"it takes its upstreams from {nature.mirror}, and loses them when that names dnsmasq"
        return f"{what}; give it a file of its own: resolv-file=, or resolvconf and no IGNORE_RESOLVCONF=yes"

    @property
    def loops(self) -> tuple[str, ...]:
        """The servers by which this dnsmasq asks itself, in words, each with its mend."""
        known = self.nature if self.understood else None
        return loops.loops(known, self.resolved_asks) if known else ()

    @property
    def is_eligible(self) -> bool:
        """Whether there is a dnsmasq, its configuration was read, and nothing bars it."""
        return self.pid is not None and self.understood and not self.bar

    @property
    def is_offered(self) -> bool:
        """Whether the file that dnsmasq is given names all that is demanded of it."""
        return self.upstreams is not None and set(self.demanded) <= set(self.offered or ())

    @property
    def is_lagging(self) -> bool:
        """Whether dnsmasq is given its upstreams by a file, and that does not name them all."""
        return self.offered is not None and not self.is_offered

    @property
    def is_lacking(self) -> bool:
        """Whether dnsmasq has shown that it does not hold all that is demanded of it."""
        if self.upstreams is None or self.held is None:
            return False
        return not self.held or not set(self.demanded) <= set(self.held)

    @property
    def is_suspect(self) -> bool:
        """Whether dnsmasq has failed so often, while it was trusted, that its trial takes longer."""
        return self.falls >= self.policy.falls > 0

    @property
    def is_told(self) -> bool:
        """Whether dnsmasq was sent SIGHUP for this list, or started after it was accepted."""
        return self.reloaded >= self.generation


def file_of(state: State) -> ResolvConf:
    """The resolv.conf that the state's phase calls for. Needs known upstreams."""
    assert state.upstreams is not None
    return _guarded(state, state.upstreams) if state.wanted is Kind.GUARDED else _direct(state, state.upstreams)


def _direct(state: State, known: Upstreams) -> ResolvConf:
    # trust-ad vouches for a local validating resolver; these servers are somebody else's.
    options = tuple(option for option in known.options if option != "trust-ad")
    return ResolvConf(state.nameservers, known.search, options, known.rest)


def _guarded(state: State, known: Upstreams) -> ResolvConf:
    dnsmasq = state.policy.dnsmasq_address
    if not standby_rule(state.policy.standby, state.nature)[0]:
        return ResolvConf((dnsmasq,), known.search, known.options, known.rest)
    first = state.nameservers[0]
    standby = state.standby if state.standby in known.nameservers and state.standby not in state.spared else first
    # rotate would send every other lookup past dnsmasq.
    options = tuple(option for option in known.options if option != "rotate")
    if not any(option.startswith("timeout:") for option in options):
        # libc waits 5 s before it goes on to the standby server, 1 s with this (measured).
        options = (*options, "timeout:1")
    return ResolvConf((dnsmasq, standby), known.search, options, known.rest)
