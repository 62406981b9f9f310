"""Whose fault it is: what dnsmasq said, beside what its upstreams said to the same questions. Nothing is asked here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dnsguard.core import events as on
from dnsguard.core.events import Event
from dnsguard.core.resolvconf import MAX_NAMESERVERS
from dnsguard.core.state import State, file_of
from dnsguard.core.vocabulary import Fault, Verdict


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why there is no good answer; `detail` is for people."""

    verdict: Verdict
    detail: str


Answers = Mapping[Any, Trouble | None]
"""What was said to each question, which is anything that str() puts into words; None: all is well."""
Directly = Mapping[tuple[str, Any], Trouble | None]
"""The same for each upstream and question."""

# Something came back, if not what was asked for: whoever said it is reached.
_SPOKE = frozenset({Verdict.SERVFAIL, Verdict.REFUSED, Verdict.NO_UPSTREAM, Verdict.WRONG, Verdict.RUBBISH})


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a forwarded question failed.

    Attributes:
        trouble: the first failure through dnsmasq; its detail says what the upstreams said too.
        answered, unanswered: upstreams that have answered some question, and that have answered none.
    """

    trouble: Trouble
    fault: Fault
    answered: tuple[str, ...]
    unanswered: tuple[str, ...]


def is_dnsmasqs(directly: Directly, failing: Answers) -> bool:
    """Whether an upstream has answered what dnsmasq has not."""
    return any(trouble is None and question in failing for (_, question), trouble in directly.items())


def weigh(through: Answers, directly: Directly) -> Evidence:
    """Tell whose fault it is that not all of `through` was answered.

    `directly` holds what each upstream has said so far; one that is still being waited for is not in it.
    """
    failing = {question: trouble for question, trouble in through.items() if trouble}
    first = next(iter(failing.values()))
    upstreams = tuple(dict.fromkeys(upstream for upstream, _ in directly))
    said = {each: [trouble for (who, _), trouble in directly.items() if who == each] for each in upstreams}
    # An upstream need not know the operator's zones to be one that works.
    answered = tuple(each for each in upstreams if any(not t or t.verdict is Verdict.WRONG for t in said[each]))
    unanswered = tuple(each for each in upstreams if each not in answered)
    fault = _fault(through, directly, failing)
    words = [first.detail]
    if fault is Fault.ZONE:
        names = ", ".join(str(question) for question in failing)
        words.append(f"while others pass, this fails directly as well: {names}")
    words += [f"{each} answers" for each in answered if not any(said[each])]
    words += [trouble.detail for trouble in directly.values() if trouble][:4]
    return Evidence(Trouble(first.verdict, "; ".join(words)), fault, answered, unanswered)


def _fault(through: Answers, directly: Directly, failing: Answers) -> Fault:
    if is_dnsmasqs(directly, failing):
        return Fault.DNSMASQ
    if not directly:
        return Fault.UNKNOWN
    if len(failing) < len(through):
        return Fault.ZONE
    spoke = any(trouble and trouble.verdict in _SPOKE for trouble in directly.values())
    return Fault.UNKNOWN if spoke else Fault.NETWORK


def heard(before: State, event: Event) -> Mapping[str, tuple[bool, float | None]]:
    """What an event tells of servers that were asked directly: who answered, and in how many ms, None if unmeasured."""
    match event:
        case on.LookupAnswered(kind, generation, nameserver, took_ms) if (kind, generation) == before.published:
            return {nameserver: (True, took_ms)}
        case on.LookupFailed(kind, generation) if (kind, generation) == before.published:
            return dict.fromkeys(file_of(before).nameservers[:MAX_NAMESERVERS], (False, None))
        case on.Compared(generation, answered, unanswered, took_ms) if generation == before.generation:
            times = dict(zip(answered, took_ms, strict=False))
            return {each: (True, times.get(each)) for each in answered} | dict.fromkeys(unanswered, (False, None))
        case on.ProbeFailed(generation=generation, answered=answered, unanswered=unanswered):
            if generation == before.generation:
                return dict.fromkeys(answered, (True, None)) | dict.fromkeys(unanswered, (False, None))
    return {}
