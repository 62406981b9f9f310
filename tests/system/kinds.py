"""The kinds of machine that tests begin with. What a kind adds to the one below it is made once a session.

Each is booted afresh: how it came to be what it is lies behind it.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.sandbox.processes import wait_for
from tests.sandbox.upstreams import UPSTREAM
from tests.system.machine import Machine
from tests.system.package import package

PLAIN = "plain"
"""A static address by ifupdown, a static /etc/resolv.conf, no resolvconf, no dnsmasq; as cloud images are."""

RESOLVCONF = "resolvconf"
"""The same with resolvconf, which has the upstream from /etc/network/interfaces."""

DNSMASQ = "dnsmasq"
"""The same with dnsmasq, the only server that libc is told of."""

CARED_FOR = "cared-for"
"""A plain machine with dnsguard."""

EXPECTING = "expecting"
"""A machine with resolvconf and dnsguard, that may get dnsmasq."""

GUARDED = "guarded"
"""The whole: resolvconf, dnsmasq, and dnsguard, which trusts it."""

ALONE = "guarded, no standby"
"""The same with `standby = "no"`: libc is told of dnsmasq alone."""

TO_POLL = "plain, no-poll"
"""A plain machine where a dnsmasq that comes will not watch its upstream file, as one of 2013 that polls."""

POLLS = "dnsmasq, no-poll"
"""A machine with such a dnsmasq."""

POLLS_GUARDED = "guarded, no-poll"
"""And with dnsguard, which trusts it."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What makes a kind of machine out of another.

    Attributes:
        below: the name of the other.
        prepare: what is done to it, once.
        is_ready: whether one that has booted has come to rest; it is asked until it has.
    """

    below: str
    prepare: Callable[[Machine], object]
    is_ready: Callable[[Machine], bool] = Machine.resolves


def _add_resolvconf(machine: Machine) -> None:
    machine.run(f"echo '\tdns-nameservers {UPSTREAM}' >>/etc/network/interfaces")
    machine.install("resolvconf")


def _is_behind_dnsmasq(machine: Machine) -> bool:
    # Debian 13 registers dnsmasq in the background; its unit is active a second before.
    return machine.nameservers() == ["127.0.0.1"] and machine.resolves()


def _is_behind_dnsmasq_that_was_told(machine: Machine) -> bool:
    # It begins with an empty file, and looks again only when somebody tells it to.
    machine.run("systemctl reload dnsmasq")
    return _is_behind_dnsmasq(machine)


def _add_dnsguard(machine: Machine) -> None:
    machine.install(package())


def _without_standby(machine: Machine) -> None:
    configure(machine, '[guard]\nstandby = "no"\n')


def _no_poll(machine: Machine) -> None:
    machine.run("mkdir -p /etc/dnsmasq.d && echo no-poll >/etc/dnsmasq.d/no-poll.conf")


def configure(machine: Machine, text: str) -> None:
    """Replace its dnsguard.toml, which is read at the next start or reload."""
    machine.path("/etc/dnsguard/dnsguard.toml").write_text(text)


def is_guarded(machine: Machine) -> bool:
    """Whether dnsguard has dnsmasq proven and its link in place, now."""
    return machine.run("dnsguard wait --for guarded --timeout 0", check=False).returncode == 0


KINDS = {
    RESOLVCONF: Kind(PLAIN, _add_resolvconf),
    DNSMASQ: Kind(RESOLVCONF, lambda machine: machine.install("dnsmasq"), _is_behind_dnsmasq),
    CARED_FOR: Kind(PLAIN, _add_dnsguard),
    EXPECTING: Kind(RESOLVCONF, _add_dnsguard),
    GUARDED: Kind(DNSMASQ, _add_dnsguard, is_guarded),
    ALONE: Kind(GUARDED, _without_standby, is_guarded),
    TO_POLL: Kind(PLAIN, _no_poll),
    POLLS: Kind(DNSMASQ, _no_poll, _is_behind_dnsmasq_that_was_told),
    POLLS_GUARDED: Kind(GUARDED, _no_poll, is_guarded),
}
"""A test may add kinds of its own."""


class Shelf:
    """The layers of one suite's kinds, in a folder that is thrown away later.

    Attributes:
        root: what they all stand on.
    """

    def __init__(self, root: Path, folder: Path) -> None:
        self.root = root
        self._folder = folder

    @contextmanager
    def booted(self, kind: str) -> Iterator[Machine]:
        """A machine of this kind, at rest; what it stands on is made first if need be, in seconds."""
        with Machine(self.root, self._layers(kind)) as machine:
            if kind in KINDS:
                wait_for(lambda: KINDS[kind].is_ready(machine), "rest")
            yield machine

    def _layers(self, kind: str) -> list[Path]:
        if kind == PLAIN:
            return []
        below = self._layers(KINDS[kind].below)
        layer = self._folder / kind
        if not layer.exists():
            with Machine(self.root, below) as machine:
                KINDS[kind].prepare(machine)
                machine.save(layer)
            # Each boot would copy what has gone before it.
            shutil.rmtree(layer / "var/log/journal", ignore_errors=True)
        return [*below, layer]
