"""What is wrong with dnsmasq itself: each fault, its code and its mend."""

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
        {"dnsmasq": ABSENT, "units": units(Unit()), "listeners": (Listener("127.0.0.1"),)},
    ],
)
def test_dnsmasq_that_is_well_or_unwanted_is_no_finding(changes: dict[str, Any]) -> None:
    """It answers, also under no-ident; or libc is not told of it; or another server stands in its place."""
    assert [] == found(**changes)


@pytest.mark.parametrize("unit", [RUNS, OFF])
def test_stopped(unit: Unit) -> None:
    """It is enabled, or resolv.conf names it all the same."""
    assert [("dnsmasq-stopped", "systemctl start dnsmasq")] == found(dnsmasq=ABSENT, units=units(unit))


def test_missing() -> None:
    """resolv.conf names it, and it was removed."""
    gone = {"dnsmasq": ABSENT, "units": units(Unit()), "programs": frozenset()}

    assert [("dnsmasq-missing", "apt-get install --yes dnsmasq")] == found(**gone)


@pytest.mark.parametrize(("folder", "option"), [("/etc/systemd/system", ""), ("/run/systemd/system", " --runtime")])
def test_masked(folder: str, option: str) -> None:
    """For ever, or until the next boot; it comes before the rest, which follows from it."""
    at = f"{folder}/dnsmasq.service"
    mend = f"systemctl unmask{option} dnsmasq && systemctl start dnsmasq"
    masked = units(Unit(True, at, True))

    assert [("dnsmasq-masked", mend)] == found(dnsmasq=ABSENT, units=masked, listeners=(Listener("127.0.0.1"),))


@pytest.mark.parametrize(
    ("listener", "mend"),
    [
        (Listener("127.0.0.1", 9, "unbound", "unbound.service"), f"systemctl stop unbound.service && {RESTART}"),
        (Listener("0.0.0.0", 9, "python3"), f"kill 9 && sleep 1 && {RESTART}"),
        (Listener("127.0.0.1"), "ss --listening --numeric --processes --udp --tcp 'sport = :53'"),
        (Listener("127.0.0.53", 9, "systemd-resolve", "systemd-resolved.service"), BIND),
    ],
)
def test_port_taken(listener: Listener, mend: str) -> None:
    """By a unit, by a process, by somebody whom only root may see, by systemd-resolved's stub."""
    assert [("port-taken", mend)] == found(dnsmasq=ABSENT, listeners=(listener,))


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
    assert mend == found(dnsmasq=ABSENT, units=instances, settings=settings)[0][1]
