"""What is wrong with dnsmasq itself: each fault, its code and its mend."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dnsguard.core.doctor_dnsmasq import look_at_dnsmasq
from dnsguard.core.host import Answer, Listener, Process, Thing, Unit
from dnsguard.core.nature import Nature
from tests.core.hosts import OFF, RUNS, UPSTREAM, dnsmasq, holding, host

ABSENT = Process(missing="no PID file")
DIRECT = Thing("link", "/run/dnsguard/resolv.conf", f"nameserver {UPSTREAM}\n")
RESTART = "systemctl restart dnsmasq"
BIND = f"echo bind-interfaces >>/etc/dnsmasq.d/dnsguard-doctor.conf && {RESTART}"
LISTEN = f"echo listen-address=127.0.0.1 >>/etc/dnsmasq.d/dnsguard-doctor.conf && {RESTART}"


UNBOUND = Listener("127.0.0.1", 9, "unbound", "unbound.service")
CLOSED, SILENT = {"127.0.0.1": Answer("closed")}, {"127.0.0.1": Answer("silent")}


def units(unit: Unit) -> dict[str, Unit]:
    return {"dnsmasq.service": unit, "dnsguard.service": RUNS}


def found(**changes: Any) -> list[tuple[str, str]]:
    """The codes and mends."""
    return [(each.code, each.mend) for each in look_at_dnsmasq(host(**changes)).findings]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"dnsmasq": dnsmasq(held=Answer("notimp"))},
        {"dnsmasq": ABSENT, "units": units(OFF), "resolv_conf": DIRECT},
        {"dnsmasq": ABSENT, "units": units(Unit()), "resolv_conf": DIRECT},
        {"dnsmasq": ABSENT, "units": units(RUNS), "programs": frozenset(), "resolv_conf": DIRECT},
        {"dnsmasq": ABSENT, "units": units(Unit()), "listeners": (Listener("127.0.0.1"),), "answers": CLOSED},
        # Switched off, or even masked, on purpose; unbound serves.
        {"dnsmasq": ABSENT, "units": units(OFF), "listeners": (UNBOUND,)},
        {"dnsmasq": ABSENT, "units": units(OFF), "listeners": (UNBOUND,), "answers": SILENT},
        {"dnsmasq": ABSENT, "units": units(RUNS._replace(masked_at="/etc/systemd/system/dnsmasq.service"))},
    ],
)
def test_dnsmasq_that_is_well_or_unwanted_is_no_finding(changes: dict[str, Any]) -> None:
    """It answers, also under no-ident; or libc is not told of it; or another server stands in its place."""
    assert [] == found(**changes)


@pytest.mark.parametrize("unit", [RUNS, OFF])
def test_stopped(unit: Unit) -> None:
    """It is enabled, or resolv.conf names it all the same."""
    assert [("dnsmasq-stopped", "systemctl start dnsmasq")] == found(dnsmasq=ABSENT, units=units(unit), answers=CLOSED)


def test_missing() -> None:
    """resolv.conf names it, and it was removed."""
    gone = {"dnsmasq": ABSENT, "units": units(Unit()), "programs": frozenset(), "answers": CLOSED}

    assert [("dnsmasq-missing", "apt-get install --yes dnsmasq")] == found(**gone)


@pytest.mark.parametrize(("folder", "option"), [("/etc/systemd/system", ""), ("/run/systemd/system", " --runtime")])
def test_masked(folder: str, option: str) -> None:
    """For ever, or until the next boot; it comes before the rest, which follows from it."""
    at = f"{folder}/dnsmasq.service"
    mend = f"systemctl unmask{option} dnsmasq && systemctl start dnsmasq"
    masked = units(Unit(True, at, True))

    assert [("dnsmasq-masked", mend)] == found(
        dnsmasq=ABSENT, units=masked, listeners=(Listener("127.0.0.1"),), resolv_conf=DIRECT
    )


@pytest.mark.parametrize(
    ("listener", "mend"),
    [
        (UNBOUND, f"systemctl stop unbound.service && {RESTART}"),
        (Listener("0.0.0.0", 9, "python3"), f"kill 9 && sleep 1 && {RESTART}"),
        (Listener("127.0.0.1"), "ss --listening --numeric --processes --udp --tcp 'sport = :53'"),
    ],
)
def test_port_taken(listener: Listener, mend: str) -> None:
    """By a unit, by a process, by somebody whom only root may see."""
    assert [("port-taken", mend)] == found(dnsmasq=ABSENT, listeners=(listener,))


BESIDE = (
    Listener("127.0.0.53", 9, "systemd-resolve", "systemd-resolved.service"),
    Listener("127.0.2.1", 9, "dnscrypt-proxy", "dnscrypt-proxy.service"),
    Listener("127.0.2.1", 1, "systemd"),
    Listener("127.0.2.1"),
)


@pytest.mark.parametrize("listener", BESIDE)
def test_server_at_another_address_is_in_the_way_of_a_dnsmasq_that_wants_all(listener: Listener) -> None:
    """dnsmasq 2.90 does not start then; nobody need be stopped for it, least of all its own upstream."""
    assert [("port-taken", BIND)] == found(dnsmasq=ABSENT._replace(takes_all=True), listeners=(listener,))


@pytest.mark.parametrize("listener", BESIDE)
def test_server_at_another_address_is_no_reason_for_a_dnsmasq_that_binds(listener: Listener) -> None:
    """With bind-dynamic in its files a bind-interfaces more would end it for ever."""
    assert [("dnsmasq-stopped", "systemctl start dnsmasq")] == found(dnsmasq=ABSENT, listeners=(listener,))


def test_port_taken_by_a_socket_unit(tmp_path: Path) -> None:
    """systemd has it, and is not killed: the unit is looked up. The real shell and awk."""
    takers = (Listener("0.0.0.0", 1, "systemd"), Listener("127.0.0.1", 1, "systemd"), Listener("::", 1, "systemd"))
    ((code, mend),) = found(dnsmasq=ABSENT, listeners=takers)
    script = tmp_path / "systemctl"
    script.write_text(
        "#!/bin/sh\n"
        '[ "$1" != list-sockets ] || exec printf "%s %s %s\\n" 127.0.0.1:5353 x.socket x.service'
        " 127.0.0.1:53 dnscrypt.socket dnscrypt.service '[::]:53' y.socket y.service /run/x z.socket z.service\n"
        'echo "$@"\n'
    )
    script.chmod(0o755)
    told = subprocess.run(
        ["sh", "-c", mend], env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}, capture_output=True, text=True, check=True
    )

    assert "port-taken" == code
    assert "stop dnscrypt.socket dnscrypt.service y.socket y.service\nrestart dnsmasq\n" == told.stdout


def test_dnsmasq_whose_process_is_hidden() -> None:
    """Under hidepid= an ordinary user sees no process; but who holds servers and says so is dnsmasq."""
    hidden, listener = Process(missing="no PID file", held=holding(UPSTREAM)), Listener("0.0.0.0")

    assert [] == found(dnsmasq=hidden, listeners=(listener,))
    # Root sees that another instance has the port.
    assert "port-taken" == found(dnsmasq=hidden, listeners=(listener._replace(pid=9, name="dnsmasq"),))[0][0]
    assert "port-taken" == found(dnsmasq=hidden._replace(held=Answer("refused")), listeners=(listener,))[0][0]


def test_port_taken_elsewhere_is_no_reason() -> None:
    """libvirt's dnsmasq has an address of its own."""
    listener = Listener("192.168.122.1", 9, "dnsmasq")

    assert "dnsmasq-stopped" == found(dnsmasq=ABSENT, listeners=(listener,))[0][0]


@pytest.mark.parametrize(
    ("nature", "pages", "mend"),
    [
        (Nature(port=5353), {"a": "port=5353\n"}, f"sed -i '1s/^/#/' /etc/dnsmasq.d/a && {RESTART}"),
        (Nature(port=0), {}, f"echo port=53 >>/etc/dnsmasq.d/dnsguard-doctor.conf && {RESTART}"),
        (Nature(listens=("192.0.2.2",)), {"a": "listen-address=192.0.2.2"}, LISTEN),
        (
            Nature(excepted=("lo",)),
            {"a": "\nexcept-interface=lo"},
            f"sed -i '2s/^/#/' /etc/dnsmasq.d/a && {RESTART}",
        ),
    ],
)
def test_barred(nature: Nature, pages: dict[str, str], mend: str) -> None:
    """It serves where libc does not ask; the line is named, or another one overrides it."""
    files = tuple((f"/etc/dnsmasq.d/{name}", text) for name, text in pages.items())

    assert [("dnsmasq-barred", mend)] == found(dnsmasq=Process(7, "", nature, files, Answer("closed")))


@pytest.mark.parametrize("trouble", ["silent", "closed"])
def test_hang(trouble: str) -> None:
    """The process is there, and does not answer what it answers by itself."""
    assert [("dnsmasq-hangs", RESTART)] == found(dnsmasq=dnsmasq(held=Answer(trouble)))


def test_another_unit_is_called_by_its_name() -> None:
    """`[dnsmasq] unit` says which."""
    from dataclasses import replace

    from dnsguard.core.settings import Dnsmasq, Settings

    settings = replace(Settings(), dnsmasq=Dnsmasq(unit="dnsmasq@two.service"))
    instances = {"dnsmasq@two.service": RUNS, "dnsguard.service": RUNS}

    assert "systemctl start dnsmasq@two" == found(dnsmasq=ABSENT, units=instances, settings=settings)[0][1]

    # Its template is masked.
    instances["dnsmasq@two.service"] = Unit(True, "/etc/systemd/system/dnsmasq@.service", True)
    mend = "systemctl unmask dnsmasq@ && systemctl start dnsmasq@two"
    assert mend == found(dnsmasq=ABSENT, units=instances, settings=settings, answers=CLOSED)[0][1]
