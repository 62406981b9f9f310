"""Who may import whom, each rule with its reason."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.tree import MODULES, imports, name_of

ONLY_IN = {
    "pyinotify": ("dnsguard.edge.watcher", "nobody maintains it: swapping it must be one file"),
    "dns": ("dnsguard.edge.prober", "what parses answers from the network is in one place"),
    "systemd.daemon": ("dnsguard.edge.service", "its calls block when nobody reads: one place knows how to ask first"),
    "systemd.journal": ("dnsguard.edge.log_reader", "the daemon writes without it, and nobody else reads"),
    "structlog": ("dnsguard.edge.journal", "logging is set up once, and the daemon alone writes the lines"),
    "asyncio": ("dnsguard.edge", "the core has no loop, and `dnsguard status` must start in a moment"),
}
UPSTAIRS = ("dnsguard.daemon", "dnsguard.cli", "dnsguard.wiring", "dnsguard.past")
NEVER = {
    "dns.resolver": "its Resolver() reads /etc/resolv.conf: a circle in a program that writes that file",
    "dns.query": "it waits out the timeout on a closed port, ends at a stray datagram, and weighs 1 MiB",
    "dns.asyncquery": "the same",
    "subprocess": "a guard that must fork to help the host cannot help a host that is out of processes",
}
# What the core may use of the standard library: no file, socket, clock or log among it.
PURE = {"collections", "dataclasses", "enum", "functools", "ipaddress", "itertools", "re", "tomllib", "types", "typing"}
PURE |= {"uuid"}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_the_core_imports_nothing_that_does_anything(path: Path) -> None:
    """What is decided must be replayable from what is logged."""
    name = name_of(path)
    if not name.startswith("dnsguard.core"):
        return
    strangers = {each for each in imports(path) if each.split(".")[0] not in PURE}

    assert {each for each in strangers if not each.startswith("dnsguard.core")} == set()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_edges_do_not_know_one_another(path: Path) -> None:
    """One outside thing each; only the daemon and the door see both core and edges."""
    name = name_of(path)
    if not name.startswith("dnsguard.edge"):
        return
    ours = {each for each in imports(path) if each.startswith("dnsguard")}
    # A room may have a back room, which bears its name: prober, prober_messages.
    allowed = ("dnsguard.core", f"{name}_")

    assert {each for each in ours if not each.startswith(allowed)} == set()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_each_package_has_one_place(path: Path) -> None:
    """The reasons stand beside the rules."""
    name = name_of(path)
    for imported in imports(path):
        package, both = imported.split(".")[0], ".".join(imported.split(".")[:2])
        place, reason = ONLY_IN.get(both, ONLY_IN.get(package, (name, "")))
        upstairs = imported.split(".")[0] == "asyncio" and name in UPSTAIRS
        assert name.startswith(place) or upstairs, f"{name} imports {imported}: {reason}"
        for forbidden, why in NEVER.items():
            assert not f"{imported}.".startswith(f"{forbidden}."), f"{name} imports {imported}: {why}"


def loaded_by(modules: str) -> set[str]:
    """Every module that is there when these have been imported."""
    script = f"import sys, {modules}; print(*sys.modules)"
    return set(
        subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.PIPE).stdout.decode().split()
    )


def test_the_door_pulls_in_neither_loop_nor_dns_before_the_command_is_known() -> None:
    """`dnsguard status` starts in a moment."""
    loaded = loaded_by("dnsguard.cli, dnsguard.core.report, dnsguard.core.settings")

    assert loaded.isdisjoint({"asyncio", "dns", "structlog", "pyinotify", "systemd", "ssl", "logging"})


def test_neither_the_daemon_nor_doctor_pays_for_the_other() -> None:
    """The daemon stays as small as it was, and doctor answers before a loop and dnspython would be there."""
    of_doctor = ["dnsguard.doctor", "dnsguard.core.doctor", "dnsguard.core.findings", "dnsguard.core.mends"]
    costly = {"asyncio", "dns", "structlog", "pyinotify", "systemd", "ssl", "logging", "subprocess"}
    costly |= {"dnsguard.core.events", "dnsguard.core.actions", "dnsguard.core.state"}

    assert loaded_by("dnsguard.daemon").isdisjoint({*of_doctor, "dnsguard.edge.asker", "dnsguard.core.host"})
    assert loaded_by(f"dnsguard.cli, {', '.join(of_doctor)}").isdisjoint(costly)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_the_program_carries_nothing_of_what_is_for_reading(path: Path) -> None:
    """Catalogue, manual and completions are made by the build: neither memory nor disk of a host has their makers."""
    assert {each for each in imports(path) if each.split(".")[0] == "pages"} == set()
