"""What an operator reads first: the status line, and the head of the file."""

from dataclasses import replace

import pytest

from dnsguard.core.banner import header, status_line
from dnsguard.core.nature import Nature
from dnsguard.core.state import State
from dnsguard.core.vocabulary import Fault, Kind, Phase
from tests.core.story import OLD, POLICY, direct, guarded, proving

YIELDED = direct(phase=Phase.YIELDED, attached=False)
FRESH = State(policy=POLICY)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (FRESH, "starting: no upstream is known yet"),
        (direct(), f"direct: libc asks {OLD}"),
        (direct(pid=None, missing="no PID file"), f"direct: libc asks {OLD} (no PID file)"),
        (guarded(), f"guarded: libc asks 127.0.0.1, {OLD}"),
        (guarded(fault=Fault.NETWORK), f"guarded (the network is down): libc asks 127.0.0.1, {OLD}"),
        (guarded(published=None), f"guarded: cannot yet publish 127.0.0.1, {OLD}"),
        (proving(published=None), f"proving: libc was left with dnsmasq, which is on trial; ready to publish {OLD}"),
        (replace(FRESH, ready=True), "degraded: no server has answered yet; starting: no upstream is known yet"),
        (direct(standby=None), f"degraded: no server has answered yet; direct: libc asks {OLD}"),
        (YIELDED, f"yielded: another program owns resolv.conf; standing back from {OLD}"),
        (guarded(phase=Phase.STOPPING), "stopping"),
    ],
)
def test_the_status_line_is_the_phase_and_whom_libc_asks(state: State, expected: str) -> None:
    """What `systemctl status` shows."""
    assert expected == status_line(state)


@pytest.mark.parametrize("kind", Kind)
def test_the_file_says_who_wrote_it_and_how_to_be_rid_of_it(kind: Kind) -> None:
    """Somebody finds it after a crash."""
    text = "\n".join(header(kind, 7))

    assert "Written by dnsguard" in text
    assert kind.value in text
    assert "dnsguard detach" in text


def test_the_status_says_why_a_dnsmasq_is_not_used() -> None:
    """In `systemctl status`, where an operator looks first."""
    assert "(dnsmasq is not used: it serves no DNS (port=0)" in status_line(direct(nature=Nature(port=0)))
