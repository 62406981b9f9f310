"""Split DNS with the real dnsmasq: names that go elsewhere stay there, and the operator's own questions prove them."""

import pytest

from tests.sandbox.guard import NO_UNIT, Guard
from tests.sandbox.host import Host
from tests.sandbox.processes import wait_for
from tests.sandbox.upstreams import OTHER_UPSTREAM, UPSTREAM

ZONE_LOG = "/run/zone.log"
ROUTES = [
    (f"server=/corp/{OTHER_UPSTREAM}", "intranet.corp A"),
    (f"rev-server=10.0.0.0/8,{OTHER_UPSTREAM}", "7.0.0.10.in-addr.arpa PTR"),
]


def start_zone(host: Host) -> None:
    """Put a server at the far end that knows the zone and the network alone, and writes down who asks."""
    host.put_upstream(
        OTHER_UPSTREAM,
        "exec dnsmasq --keep-in-foreground --conf-file=/dev/null --pid-file= --user=root --no-resolv --no-hosts"
        f" --bind-interfaces --listen-address={OTHER_UPSTREAM} --log-queries --log-facility={ZONE_LOG}"
        " --local=/corp/ --host-record=intranet.corp,10.0.0.7",
    )


def questions(name: str) -> str:
    """As the operator would have them who wants no dnsmasq that cannot answer for the zone."""
    return NO_UNIT + f'[guard]\nzone_down = "flip"\n[health]\nquestions = [". SOA", "{name}"]\n'


@pytest.mark.parametrize(("route", "question"), ROUTES)
def test_a_routed_zone_is_proved_by_the_operators_own_question(
    host: Host, guard: Guard, route: str, question: str
) -> None:
    """It is asked through dnsmasq, arrives at the zone's server and nowhere else, and nobody stands behind dnsmasq."""
    start_zone(host)
    guard.configure(questions(question))
    host.bring_up_dnsmasq(route)
    guard.start()
    guard.wait_for_phase("guarded")
    name = question.split()[0]

    assert ["127.0.0.1"] == host.nameservers()
    assert route in guard.status()["standby_why"]
    assert f"{name} from " in host.path(ZONE_LOG).read_text()
    assert {UPSTREAM, OTHER_UPSTREAM} == set(guard.status()["dnsmasq"]["holds"])


def test_the_zones_names_are_libcs_as_well(host: Host, guard: Guard) -> None:
    """The upstream would say another address."""
    start_zone(host)
    host.bring_up_dnsmasq(ROUTES[0][0])
    guard.start()
    guard.wait_for_phase("guarded")

    assert host.run("getent ahostsv4 intranet.corp").stdout.startswith("10.0.0.7 ")


@pytest.mark.parametrize(("route", "question"), ROUTES)
def test_a_dnsmasq_that_cannot_answer_for_the_zone_is_not_trusted(
    host: Host, guard: Guard, route: str, question: str
) -> None:
    """The zone's server is silent, so the root alone proves nothing; once it speaks, dnsmasq is trusted."""
    start_zone(host)
    host.silence_upstream(OTHER_UPSTREAM)
    guard.configure(questions(question))
    host.bring_up_dnsmasq(route)
    guard.start()
    # The upstreams know an address of their own for every name, and of no address a name.
    said = guard.wait_for_code("zone-down" if question.endswith("PTR") else "dnsmasq-doubted")["text"]

    assert f"{question.split()[0]}. IN {question.split()[1]} from 127.0.0.1#53: no answer in time" in said
    assert ([UPSTREAM], []) == (host.nameservers(), guard.said("guarded"))
    host.start_upstream(OTHER_UPSTREAM)
    guard.wait_for_phase("guarded")
    wait_for(lambda: ["127.0.0.1"] == host.nameservers(), "dnsmasq in resolv.conf")
