"""`dnsguard doctor` on whole hosts: each planted fault is named, and its mend is run as it is printed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import tests.system.test_owners  # noqa: F401  (its kinds)
from tests.sandbox.processes import wait_for
from tests.sandbox.upstreams import OTHER_UPSTREAM, UPSTREAM
from tests.system.cases import Act
from tests.system.conftest import Boot
from tests.system.faults import says
from tests.system.kinds import GUARDED, KINDS, Kind, configure, is_guarded
from tests.system.machine import Machine
from tests.system.package import package
from tests.system.traps import configure_dnsmasq, rests

NM = "NetworkManager, cared-for"
"""NetworkManager has the network, and dnsguard cares for it; no dnsmasq, no resolvconf."""

BESIDE = "systemd-resolved, guarded"
"""systemd-resolved has the network; dnsmasq stands beside it, and dnsguard trusts it."""

BESIDE_RESOLVED = "bind-interfaces\nlisten-address=127.0.0.1\nresolv-file=/etc/upstreams\n"


def _beside_resolved(machine: Machine) -> None:
    machine.install(package())
    machine.path("/etc/dnsmasq.d").mkdir()
    machine.path("/etc/dnsmasq.d/beside.conf").write_text(BESIDE_RESOLVED)
    machine.path("/etc/upstreams").write_text(f"nameserver {UPSTREAM}\n")
    machine.install("dnsmasq")
    machine.run("echo IGNORE_RESOLVCONF=yes >>/etc/default/dnsmasq")
    configure(machine, '[paths]\nupstream_file = "/etc/upstreams"\n')


KINDS |= {
    NM: Kind("NetworkManager", lambda machine: machine.install(package()), rests("direct", UPSTREAM)),
    BESIDE: Kind("systemd-resolved", _beside_resolved, is_guarded),
}

STRANGER = (
    "systemctl stop dnsmasq; systemd-run --quiet --unit=stranger python3 -c 'import socket, time;"
    ' s = socket.socket(type=2); s.bind(("127.0.0.1", 53)); time.sleep(1e9)\';'
    " timeout 10 sh -c 'until ss -Hlun src 127.0.0.1:53 | grep -q .; do sleep 0.1; done'; systemctl start dnsmasq"
)
SOCKET = (
    "cd /run/systemd/system;"
    " printf '[Socket]\\nListenDatagram=127.0.0.1:53\\nListenStream=127.0.0.1:53\\n' >stranger.socket;"
    " printf '[Service]\\nExecStart=/bin/sleep infinity\\n' >stranger.service; systemctl daemon-reload;"
    " systemctl stop dnsmasq; systemctl start stranger.socket; systemctl start dnsmasq"
)
STOP_BESIDE = "sed -i s/bind-interfaces/bind-dynamic/ /etc/dnsmasq.d/beside.conf; systemctl stop dnsmasq"
KEEP_SETTINGS = "chmod 0600 /etc/dnsguard/dnsguard.toml; systemctl restart dnsguard"
ALONE = (
    configure_dnsmasq("no-resolv", f"server={UPSTREAM}")
    + "; resolvconf -d eth0.inet; rm /var/lib/dnsguard/upstreams.conf; systemctl restart --no-block dnsguard"
)
LOOP = "resolvectl dns eth0 127.0.0.1; echo server=127.0.0.53 >/etc/dnsmasq.d/loop.conf; systemctl restart dnsmasq"
IMMUTABLE = (
    "systemctl stop dnsguard; rm /etc/resolv.conf; echo nameserver 127.0.0.1 >/etc/resolv.conf;"
    " chattr +i /etc/resolv.conf; systemctl start dnsguard"
)
BY_NETWORK_MANAGER = (
    "systemctl stop dnsguard; printf '[main]\\nrc-manager=file\\n' >/etc/NetworkManager/conf.d/10-file.conf;"
    " systemctl reload NetworkManager; nmcli device reapply eth0"
)
FULL = (
    "mount -o remount,size=$(($(df --output=used -k /run | tail -n 1) + 64))k /run; head -c 1M /dev/zero >/run/filler"
)
FUTURE = (
    "import json; path = '/run/dnsguard/status.json'; told = json.load(open(path));"
    " told['written'] = '2099-01-01T00:00:00+00:00'; json.dump(told, open(path, 'w'))"
)
AHEAD = "mkdir -p /var/lib/systemd/timesync; touch -d '+2 days' /var/lib/systemd/timesync/clock"


def _lose_first_upstream(machine: Machine, _ours: Sequence[Path]) -> None:
    machine.new_lease(UPSTREAM, OTHER_UPSTREAM)
    machine.world.stop_upstream(UPSTREAM)


def _set_clock_back(machine: Machine, _ours: Sequence[Path]) -> None:
    """The daemon writes its report anew when an address has just come, and what was planted is gone."""
    wait_for(
        lambda: machine.run(["python3", "-c", FUTURE]) and codes(machine) == ("clock-jumped",), "report that stays"
    )


def _break_settings(machine: Machine, _ours: Sequence[Path]) -> None:
    configure(machine, "[guard]\nrise = 3\nfall = two\n")
    machine.run("systemctl restart dnsguard", check=False)


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is wrong with a host.

    Attributes:
        title: what it is.
        kind: the machine.
        plant: what brings it about.
        codes: what doctor finds, the cause first.
        mends: what can be run of what it prints; the clock of a machine cannot be set.
    """

    title: str
    kind: str
    plant: Act
    codes: tuple[str, ...]
    mends: bool = True

    def __str__(self) -> str:
        return self.title


FAULTS = (
    Fault("stopped dnsmasq", GUARDED, says("systemctl stop dnsmasq"), ("dnsmasq-stopped",)),
    Fault("no-resolv", GUARDED, says(configure_dnsmasq("no-resolv")), ("dnsmasq-no-resolv",)),
    Fault("loop through 127.0.0.53", BESIDE, says(LOOP), ("loop",)),
    Fault("immutable resolv.conf", GUARDED, says(IMMUTABLE), ("resolv-conf-immutable",)),
    Fault("port taken", GUARDED, says(STRANGER), ("port-taken",)),
    Fault("port taken by a socket unit", GUARDED, says(SOCKET), ("port-taken",)),
    Fault("stopped beside systemd-resolved", BESIDE, says(STOP_BESIDE), ("dnsmasq-stopped",)),
    Fault("dead first upstream", GUARDED, _lose_first_upstream, ("upstream-dead",)),
    Fault("resolvconf removed", GUARDED, says("apt-get -qq purge resolvconf"), ("resolvconf-removed",)),
    Fault(
        "NetworkManager owns the file",
        NM,
        says(BY_NETWORK_MANAGER),
        ("resolv-conf-of-networkmanager", "dnsguard-stopped"),
    ),
    Fault("broken toml", GUARDED, _break_settings, ("bad-settings",)),
    Fault("settings kept from dnsguard", GUARDED, says(KEEP_SETTINGS), ("bad-settings",)),
    Fault("dnsmasq alone knows its servers", GUARDED, says(ALONE), ("no-upstream",)),
    Fault("masked unit", GUARDED, says("systemctl mask --now --quiet dnsmasq"), ("dnsmasq-masked",)),
    Fault("/run is full", GUARDED, says(FULL), ("run-full",)),
    Fault("the clock was set back", GUARDED, _set_clock_back, ("clock-jumped",)),
    Fault("the clock is behind", GUARDED, says(AHEAD), ("clock-behind",), mends=False),
)


def doctor(machine: Machine) -> list[dict[str, Any]]:
    """What doctor finds now; its exit status agrees."""
    ran = machine.run("dnsguard doctor --json", check=False)
    findings: list[dict[str, Any]] = json.loads(ran.stdout)["findings"]
    assert int(bool(findings)) == ran.returncode
    return findings


def _is_gone(machine: Machine, code: str) -> bool:
    return code not in codes(machine)


def codes(machine: Machine) -> tuple[str, ...]:
    """The codes of what doctor finds now."""
    return tuple(finding["code"] for finding in doctor(machine))


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_fault_is_named_and_its_mend_mends_it(boot: Boot, fault: Fault) -> None:
    """The cause stands first, and whoever types the mends as they are printed needs to know nothing else."""
    machine = boot(fault.kind)
    wait_for(lambda: codes(machine) == (), "a healthy host to begin with")
    fault.plant(machine, ())
    wait_for(lambda: codes(machine) == fault.codes, f"finding of {fault.codes}")
    for code in fault.codes if fault.mends else ():
        finding = doctor(machine)[0]
        assert code == finding["code"]
        machine.run(finding["mend"], patience_s=120)
        wait_for(partial(_is_gone, machine, code), f"end of {code}")
    wait_for(lambda: codes(machine) == (() if fault.mends else fault.codes), "a doctor that is content")

    assert machine.resolves()


@pytest.mark.parametrize("user", ["root", "nobody"])
@pytest.mark.parametrize(
    "command",
    [
        "true",
        "systemctl disable --now --quiet dnsguard",
        "systemctl stop dnsguard; dnsguard attach; systemctl disable --quiet dnsguard",
    ],
)
def test_healthy_host_is_found_well(guarded: Machine, user: str, command: str) -> None:
    """One screen, each line ok: as root and as anybody, guarded, and where dnsguard is not in use."""
    guarded.run(command)
    ran = guarded.run(f"setpriv --reuid={user} --regid=nogroup --clear-groups dnsguard doctor", check=False)

    assert (0, "") == (ran.returncode, ran.stderr), ran.stdout
    *lines, blank, verdict = ran.stdout.splitlines()
    assert all(line.startswith("ok ") for line in lines)
    assert ("", "all is well") == (blank, verdict)
    assert len(lines) <= 20


def test_wait_for_resolving_needs_no_daemon(guarded: Machine) -> None:
    """It asks the servers themselves, and returns as soon as one answers."""
    guarded.run("systemctl disable --now --quiet dnsguard && systemctl stop dnsmasq")
    guarded.world.stop_upstream(UPSTREAM)
    wait = "dnsguard wait --for resolving --timeout"
    assert 1 == guarded.run(f"{wait} 0", check=False).returncode
    waiting = guarded.popen(f"{wait} 30")
    guarded.world.start_upstream(UPSTREAM)

    assert 0 == waiting.door.wait(30)
