"""The list of upstreams that was good outlives restart and reboot, and is used only where it was known."""

import pytest

from tests.sandbox.processes import wait_for
from tests.sandbox.upstreams import OTHER_UPSTREAM, UPSTREAM
from tests.system.conftest import Boot
from tests.system.ending import phase_is
from tests.system.kinds import EXPECTING
from tests.system.machine import Machine

KEPT = "/var/lib/dnsguard/upstreams.conf"
# The next boot finds no source: what ifupdown told resolvconf was in /run.
FORGET = "sed -i /dns-nameservers/d /etc/network/interfaces"


def is_told(machine: Machine, server: str) -> bool:
    """Whether libc is told of this server; early at boot the link may lead to nothing."""
    return f"nameserver {server}\n" in machine.run("cat /etc/resolv.conf", check=False).stdout


def without_source(machine: Machine) -> Machine:
    """Reboot it where nothing says any more who its upstreams are."""
    wait_for(lambda: machine.path(KEPT).exists(), "list that is kept")
    machine.run(FORGET)
    machine.reboot(wait=False)
    return machine


def test_list_survives_a_reboot_after_which_no_source_speaks(boot: Boot) -> None:
    """The same router, and so the same network; the next lease is believed again."""
    machine = without_source(boot(EXPECTING))
    wait_for(machine.path("/etc/resolv.conf").is_symlink, "machine")
    wait_for(lambda: is_told(machine, UPSTREAM), "list from memory")

    assert machine.resolves()
    wait_for(lambda: f"what was known last ({KEPT})" in machine.journal("dnsguard"), "line about it")
    machine.new_lease(OTHER_UPSTREAM)
    wait_for(lambda: is_told(machine, OTHER_UPSTREAM), "new lease")


@pytest.mark.parametrize("how", ["another router", "no router"])
def test_list_is_of_no_use_in_another_network(boot: Boot, how: str) -> None:
    """Its servers would be asked in vain, or would hear what they should not."""
    machine = boot(EXPECTING)
    new = {"another router": "gateway 192.0.2.77", "no router": ""}[how]
    machine.run(
        f"sed -i 's/gateway 192.0.2.1/{new}/' /etc/network/interfaces; rm /etc/resolvconf/resolv.conf.d/original"
    )
    machine = without_source(machine)
    wait_for(lambda: "no source names a usable upstream" in machine.journal("dnsguard"), "complaint")

    assert (
        phase_is("starting")(machine) or "activating" in machine.run("systemctl is-active dnsguard", check=False).stdout
    )
    assert "what was known last" not in machine.journal("dnsguard")
