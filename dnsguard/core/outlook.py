"""What comes next, in words: what the guard waits for, and what it does then. For `dnsguard status`."""

from dnsguard.core.policy import Policy
from dnsguard.core.state import State
from dnsguard.core.vocabulary import Fault, Phase


def outlook(state: State) -> str:
    """The next step from here, for an operator; one sentence."""
    policy = state.policy
    match state.phase:
        case Phase.STARTING:
            return "as soon as a source names an upstream, libc is given it"
        case Phase.DIRECT:
            return _to_trial(state, policy)
        case Phase.PROVING:
            left = policy.rise - state.passes
            words = f"after {left} more forwarded answers in a row libc is given dnsmasq"
            return f"{words}; the network is waited for" if state.fault is Fault.NETWORK else words
        case Phase.GUARDED:
            servers = ", ".join(state.nameservers)
            failures = f"dies, lacks its upstreams or fails {policy.fall} probes in a row"
            return f"when dnsmasq {failures}, libc is given {servers}"
        case Phase.YIELDED:
            return f"within {_time(policy.yield_s)}, or when our link is put back, resolv.conf is taken into care again"
        case Phase.STOPPING:
            return "`dnsguard detach` decides what is handed back"


def _to_trial(state: State, policy: Policy) -> str:
    """What stands between a dnsmasq and its trial."""
    if state.refused:
        return f"the file is written again every {_time(policy.publish_retry_s)}"
    if state.pid is None:
        return f"dnsmasq is looked for every {_time(policy.find_s)}"
    if state.bar:
        return "nothing, until dnsmasq is configured in another way and started again"
    if state.circle:
        return f"dnsmasq is tried again within {_time(policy.yield_s)}, or when it is started again"
    if state.registered is False:
        return "when dnsmasq is registered with resolvconf again, it is asked"
    if state.dwelling:
        return f"dnsmasq is tried again within {_time(policy.dwell_s)}"
    if state.is_lacking or not state.is_told:
        return _to_reload(state, policy)
    return "when dnsmasq shows that it holds the upstreams, it is on trial"


def _to_reload(state: State, policy: Policy) -> str:
    """What is done until dnsmasq holds the list."""
    if not state.is_told:
        return f"dnsmasq is sent SIGHUP {'as soon as its own file names the upstreams' if state.is_lagging else 'now'}"
    if state.offered is None:
        return "dnsmasq is asked until it holds the upstreams; it is given no file that could be written again"
    if not state.is_lagging and state.reloads < policy.reload_tries:
        return f"dnsmasq is sent SIGHUP once more ({state.reloads} of {policy.reload_tries} so far)"
    if not state.asked_update:
        return "resolvconf is asked to write dnsmasq's file again"
    if state.is_offered and state.restarts < policy.restarts:
        return f"dnsmasq is ended for systemd to start another ({state.restarts} of {policy.restarts} so far)"
    return "dnsmasq is asked until it holds the upstreams; everything else has been tried"


def _time(seconds: float) -> str:
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"
