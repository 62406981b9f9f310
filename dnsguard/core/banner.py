"""What the guard does at this moment, in one line and as the head of the file that it writes."""

from dnsguard.core.resolvconf import MARK
from dnsguard.core.state import State, file_of
from dnsguard.core.vocabulary import Fault, Kind, Phase

FAULTS = {
    Fault.DNSMASQ: "dnsmasq is at fault",
    Fault.NETWORK: "the network is down",
    Fault.ZONE: "a zone is down",
    Fault.UNKNOWN: "forwarded questions fail, and it is unknown by whose fault",
}


def header(kind: Kind, generation: int) -> tuple[str, ...]:
    """The comment above a published file, for whoever finds it."""
    what = {
        Kind.DIRECT: "These are the real upstream servers: dnsmasq is absent or has not proved itself.",
        Kind.GUARDED: "dnsmasq has proved itself; a server after it is the standby for when it hangs.",
    }[kind]
    return (
        f"{MARK} ({kind.value}, generation {generation}); changes made here will be lost.",
        what,
        "Ask `dnsguard status` why; switch dnsguard off with `dnsguard detach`.",
    )


def status_line(state: State) -> str:
    """The phase and the servers that libc asks, in one line."""
    phase = state.phase.value
    if state.phase is Phase.STOPPING:
        return phase
    if state.ready and not state.is_answered and state.phase is not Phase.YIELDED:
        phase = f"degraded: no server has answered yet; {phase}"
    if state.upstreams is None:
        return f"{phase}: no upstream is known yet"
    servers = ", ".join(file_of(state).nameservers)
    if state.phase is Phase.YIELDED:
        return f"{phase}: another program owns resolv.conf; standing back from {servers}"
    if not state.is_published:
        if state.phase is Phase.PROVING and not state.refused:
            return f"{phase}: libc was left with dnsmasq, which is on trial; ready to publish {servers}"
        return f"{phase}: cannot yet publish {servers}"
    if state.fault is not None:
        phase = f"{phase} ({FAULTS[state.fault]})"
    return f"{phase}: libc asks {servers}{_why_not_dnsmasq(state)}"


def _why_not_dnsmasq(state: State) -> str:
    if state.pid is None:
        why = state.missing
    elif state.bar:
        why = f"dnsmasq is not used: {state.bar}"
    elif state.circle:
        why = "dnsmasq depends on the file that is published: it needs one of its own"
    elif state.dwelling:
        why = "dnsmasq has just failed, and is not tried before a while is over"
    else:
        why = f"dnsmasq has failed {state.falls} times: its trial takes longer" if state.is_suspect else ""
    return f" ({why})" if why and state.phase in (Phase.DIRECT, Phase.PROVING) else ""
