"""Links and the clock are heard from within the unit's sandbox: another address family, and a call by ctypes."""

from tests.sandbox.processes import wait_for
from tests.system.ending import pid_of
from tests.system.kinds import is_guarded
from tests.system.machine import Machine
from tests.system.traps import codes_of


def test_address_that_comes_is_looked_at_at_once(guarded: Machine) -> None:
    """Nothing is unheard, and the timer that tells of the clock is armed. The clock itself belongs to all machines."""
    before = len(codes_of(guarded))
    guarded.run("ip address add 198.51.100.9/32 dev lo")
    wait_for(lambda: "looked-again" in codes_of(guarded)[before:], "line about it")
    pid = pid_of(guarded, "dnsguard")

    assert "an address of lo has come, or changed" in guarded.journal("dnsguard")
    assert "moments-unheard" not in codes_of(guarded)
    assert "settime flags: 03\n" == guarded.run(f"grep -h 'settime flags' /proc/{pid}/fdinfo/*").stdout
    assert is_guarded(guarded)
