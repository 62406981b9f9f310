"""Debian's own traps: the ways to have 127.0.0.1 in resolv.conf, and nobody there who answers.

On a host without dnsguard each costs all lookups until somebody acts, unless its words say otherwise. Those that a
guarded host meets while it runs are laid out here; what only one of the suites, or a host made for it, can meet is in
test_traps.py.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.sandbox.namespaces import CHECKOUT
from tests.sandbox.processes import wait_for
from tests.sandbox.upstreams import OTHER_UPSTREAM, UPSTREAM
from tests.system.cases import Act, Case
from tests.system.ending import pid_of
from tests.system.faults import PER_DEATH, PER_LEASE, names, says
from tests.system.kinds import ALONE, GUARDED, is_guarded
from tests.system.machine import Machine

RECORD = "eth0.inet"
"""What ifupdown has told resolvconf."""


@dataclass(frozen=True, slots=True)
class Trap:
    """Something that stock hosts fall into.

    Attributes:
        case: what happens, and where a guarded host stands afterwards.
        stock: what it would cost without dnsguard.
        codes: the verdict: what dnsguard logs from then on, in this order, among other things.
    """

    case: Case
    stock: str
    codes: tuple[str, ...]

    def __str__(self) -> str:
        return self.case.title


def codes_of(machine: Machine) -> list[str]:
    """What dnsguard has logged since the boot, by its codes."""
    fields = ["--output=cat", "--output-fields=DNSGUARD_CODE"]
    return machine.run(["journalctl", "--boot", "--no-pager", *fields, "--unit=dnsguard"]).stdout.split()


def are_told(codes: Sequence[str], told: Sequence[str]) -> bool:
    """Whether these codes come in what was told, in their order."""
    left = iter(told)
    return all(code in left for code in codes)


def rests(phase: str, *servers: str) -> Callable[[Machine], bool]:
    """Whether dnsguard stands there, and libc is told of these."""

    def is_at_rest(machine: Machine) -> bool:
        told = machine.run("dnsguard status --json", check=False).stdout
        return f'"phase": "{phase}"' in told and names(*servers)(machine)

    return is_at_rest


def lease(*servers: str) -> str:
    """A new lease names these."""
    lines = "\\n".join(f"nameserver {server}" for server in servers)
    return f"printf '{lines}\\n' | resolvconf -a {RECORD}"


def configure_dnsmasq(*lines: str) -> str:
    """A file more in conf.d, and dnsmasq is started again."""
    said = "\\n".join(lines)
    return f"printf '{said}\\n' >/etc/dnsmasq.d/trap.conf; systemctl restart dnsmasq"


TWO = (
    "printf 'DNSMASQ_OPTS=\"--bind-interfaces --listen-address={0}\"\\n' >/etc/default/dnsmasq.two;"
    " systemctl start dnsmasq@two"
)
INSTANCE_ALONE = "systemctl disable --now dnsmasq; " + TWO.format("127.0.0.1")
INSTANCE_TOO = configure_dnsmasq("bind-interfaces", "listen-address=127.0.0.1") + "; " + TWO.format("127.0.0.2")

# resolvconf waits ten seconds for its lock; no test needs more than one.
LOCKED = (
    "sed -i s/^LOCK_WAIT_S=10/LOCK_WAIT_S=1/ $(readlink -f /sbin/resolvconf);"
    " flock /run/resolvconf/run-lock sleep 3 >/dev/null 2>&1 & sleep 0.2; systemctl stop dnsmasq"
)
DISABLED = "resolvconf --disable-updates; systemctl stop dnsmasq"
LEASE_WHILE_DISABLED = "resolvconf --disable-updates; " + lease(OTHER_UPSTREAM)
DIRECTORY_AGAIN = (
    "cp -a /run/dnsmasq /run/dnsmasq.copy; rm -r /run/dnsmasq; mv /run/dnsmasq.copy /run/dnsmasq; "
    + lease(OTHER_UPSTREAM)
)
UNREADABLE = "chown root: /run/dnsmasq; chmod 700 /run/dnsmasq; " + lease(OTHER_UPSTREAM)
IGNORE = "echo IGNORE_RESOLVCONF=yes >>/etc/default/dnsmasq; systemctl restart dnsmasq; "
ONLY_BASE = f"echo nameserver {UPSTREAM} >/etc/resolvconf/resolv.conf.d/base; resolvconf -d {RECORD}"
LIKE_UNBOUND = "echo nameserver 127.0.0.1 | resolvconf -a lo.unbound"
WITHOUT_OUR_DROP_IN = (
    "mkdir -p /etc/systemd/system/dnsmasq.service.d &&"
    " ln -s /dev/null /etc/systemd/system/dnsmasq.service.d/dnsguard.conf && systemctl daemon-reload; "
)


def stranger(manner: str) -> Act:
    """dnsmasq crashes where nothing starts it again; somebody who answers otherwise takes its port, then it starts."""

    def act(machine: Machine, _ours: Sequence[Path]) -> None:
        script = machine.bring(CHECKOUT / "tests/sandbox/upstream.py")
        machine.run(WITHOUT_OUR_DROP_IN + "systemctl kill --signal=KILL dnsmasq")
        wait_for(lambda: pid_of(machine, "dnsmasq") == "0", "death")
        machine.popen(["/usr/bin/python3", script, "127.0.0.1", manner])
        wait_for(lambda: machine.run("ss --no-header -lun src 127.0.0.1:53").stdout, "stranger on port 53")
        machine.run("systemctl start dnsmasq", check=False)

    return act


other = rests("direct", OTHER_UPSTREAM)
at_upstream = rests("direct", UPSTREAM)
both = rests("direct", UPSTREAM, OTHER_UPSTREAM)

TRAPS = (
    Trap(
        Case("records only in base", GUARDED, says(ONLY_BASE), at_upstream),
        "libc reads `base`, dnsmasq's hook does not",
        ("dnsmasq-leaving", "upstreams-restated"),
    ),
    Trap(
        Case("a named instance alone", GUARDED, says(INSTANCE_ALONE), at_upstream),
        "the record is lo.dnsmasq.two, the hook wants lo.dnsmasq: the upstream file is empty for ever",
        ("dnsmasq-missing",),
    ),
    Trap(
        Case("an instance beside dnsmasq", GUARDED, says(INSTANCE_TOO), at_upstream),
        "the upstream file holds 127.0.0.1 and nothing else: both are dead, or ask each other",
        ("dnsmasq-leaving", "dnsmasq-doubted"),
    ),
    Trap(
        Case("IGNORE_RESOLVCONF=yes", GUARDED, says(IGNORE), rests("guarded", "127.0.0.1", UPSTREAM)),
        "dnsmasq reads /etc/resolv.conf, which says 127.0.0.1, and ignores it",
        ("dnsmasq-found", "guarded"),
    ),
    Trap(
        Case("IGNORE_RESOLVCONF=yes, two upstreams", GUARDED, says(IGNORE + lease(UPSTREAM, OTHER_UPSTREAM)), both),
        "dnsmasq reads /etc/resolv.conf, which says 127.0.0.1, and ignores it",
        ("dnsmasq-found", "dnsmasq-circular"),
    ),
    Trap(
        Case("IGNORE_RESOLVCONF=yes, no standby", ALONE, says(IGNORE), at_upstream, most=PER_DEATH),
        "dnsmasq reads /etc/resolv.conf, which says 127.0.0.1, and ignores it",
        ("dnsmasq-found", "dnsmasq-circular"),
    ),
    Trap(
        Case("port=5353 in conf.d", GUARDED, says(configure_dnsmasq("port=5353")), at_upstream),
        "registered although 127.0.0.1:53 is closed",
        ("dnsmasq-found", "dnsmasq-barred"),
    ),
    Trap(
        Case("except-interface=lo in conf.d", GUARDED, says(configure_dnsmasq("except-interface=lo")), at_upstream),
        "registered although 127.0.0.1:53 is closed",
        ("dnsmasq-found", "dnsmasq-barred"),
    ),
    Trap(
        Case("another local resolver's record", GUARDED, says(LIKE_UNBOUND), at_upstream),
        "the list is cut at the next record of `lo`: dnsmasq is given 127.0.0.1",
        ("dnsmasq-leaving",),
    ),
    Trap(
        Case("an upstream that is 127.0.0.1", GUARDED, says(lease("127.0.0.1")), at_upstream),
        "dnsmasq ignores it, says that it has read the file, and answers REFUSED",
        ("dnsmasq-leaving",),
    ),
    Trap(
        # A lease like any other: what dnsmasq had just taken in for the old servers it may forget.
        Case(
            "an upstream that is 127.0.0.53, and nobody there",
            GUARDED,
            says(lease("127.0.0.53")),
            at_upstream,
            most=PER_LEASE,
        ),
        "dnsmasq accepts it, and asks nobody",
        ("dnsmasq-leaving",),
    ),
    Trap(
        Case("deregistration lost to a held lock", GUARDED, says(LOCKED), at_upstream),
        "`Run lock held...`: resolv.conf stays at a dnsmasq that has stopped",
        ("dnsmasq-died",),
    ),
    Trap(
        Case("updates of resolvconf disabled", GUARDED, says(DISABLED), at_upstream),
        "the record goes, resolv.conf stays at a dnsmasq that has stopped",
        ("dnsmasq-died",),
    ),
    Trap(
        Case("a lease while updates are disabled", GUARDED, says(LEASE_WHILE_DISABLED), other),
        "neither libc nor dnsmasq hears of the new servers",
        ("upstreams-changed",),
    ),
    Trap(
        Case("the last record deleted", GUARDED, says(f"resolvconf -d {RECORD}"), at_upstream),
        "resolv.conf stays 127.0.0.1, and dnsmasq, which knows nobody now, refuses until the next lease",
        ("dnsmasq-leaving",),
    ),
    Trap(
        Case("the watched directory made again, then a lease", GUARDED, says(DIRECTORY_AGAIN), other),
        "dnsmasq's watch is lost for ever; it goes on asking the old servers",
        ("upstreams-changed", "reload-repeated"),
    ),
    Trap(
        Case("a lease that dnsmasq may not read", GUARDED, says(UNREADABLE), other),
        "`Permission denied`: dnsmasq keeps the old servers, and a later chmod is no news to it",
        ("upstreams-changed", "reload-sent"),
    ),
    Trap(
        Case("a stranger that refuses on port 53", GUARDED, stranger("refused"), at_upstream),
        "answers come from a stranger",
        ("dnsmasq-died", "dnsmasq-missing"),
    ),
    Trap(
        Case("a stranger that answers rubbish on port 53", GUARDED, stranger("rubbish"), at_upstream),
        "answers come from a stranger",
        ("dnsmasq-died", "dnsmasq-missing"),
    ),
    Trap(
        Case(
            "nameservers in head",
            GUARDED,
            says(f"echo nameserver {OTHER_UPSTREAM} >/etc/resolvconf/resolv.conf.d/head; resolvconf -u"),
            rests("guarded", "127.0.0.1", OTHER_UPSTREAM),
        ),
        "libc asks them first, and dnsmasq only when they are silent",
        ("upstreams-changed", "guarded"),
    ),
    Trap(
        Case(
            "nameservers in tail",
            GUARDED,
            says(f"echo nameserver {OTHER_UPSTREAM} >/etc/resolvconf/resolv.conf.d/tail; resolvconf -u"),
            rests("guarded", "127.0.0.1", UPSTREAM),
        ),
        "they stand behind dnsmasq, though the list is cut after it",
        ("upstreams-changed", "guarded"),
    ),
    Trap(
        Case("resolvconf purged", GUARDED, says("apt-get -qq purge resolvconf"), is_guarded),
        "a plain resolv.conf that says 127.0.0.1 is left",
        ("upstreams-restated",),
    ),
)
