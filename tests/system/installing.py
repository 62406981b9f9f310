"""dnsguard, resolvconf and dnsmasq come to a host, in every order; without dnsguard the other two."""

from collections.abc import Sequence
from pathlib import Path

from tests.system.cases import Act, Case
from tests.system.kinds import DNSMASQ, PLAIN, RESOLVCONF, TO_POLL
from tests.system.machine import Machine

OURS = ""
"""Stands for dnsguard's package in a run of apt-get."""


def runs(*batches: Sequence[str]) -> Act:
    """Several runs of apt-get, one after the other; what is OURS in them is left out where there is none."""

    def act(machine: Machine, ours: Sequence[Path]) -> None:
        for batch in batches:
            wanted = [package for name in batch for package in ((name,) if name != OURS else ours)]
            if wanted:
                machine.install(*wanted)

    return act


def with_recommends(machine: Machine, ours: Sequence[Path]) -> None:
    """`apt install ./dnsguard_*.deb`, as the README says: the other two are recommended."""
    machine.install(*(ours or ("resolvconf", "dnsmasq")), recommends=True)


INSTALLING = (
    Case("dnsguard, with what it recommends", PLAIN, with_recommends, without=PLAIN),
    Case("all three in one run", PLAIN, runs((OURS, "resolvconf", "dnsmasq")), without=PLAIN),
    Case("dnsguard, then resolvconf, then dnsmasq", PLAIN, runs((OURS,), ("resolvconf",), ("dnsmasq",)), without=PLAIN),
    Case("dnsguard, then dnsmasq, then resolvconf", PLAIN, runs((OURS,), ("dnsmasq",), ("resolvconf",)), without=PLAIN),
    Case("dnsguard, then the two at once", PLAIN, runs((OURS,), ("resolvconf", "dnsmasq")), without=PLAIN),
    Case("dnsguard, then the two at once, no-poll", TO_POLL, runs((OURS,), ("resolvconf", "dnsmasq")), without=TO_POLL),
    Case("resolvconf is there: dnsguard, then dnsmasq", RESOLVCONF, runs((OURS,), ("dnsmasq",)), without=RESOLVCONF),
    Case("resolvconf is there: dnsguard and dnsmasq at once", RESOLVCONF, runs((OURS, "dnsmasq")), without=RESOLVCONF),
    Case("both are there: dnsguard", DNSMASQ, runs((OURS,))),
)
