"""Twin of dnsguard/core/evidence.py: whose fault it is."""

import pytest

from dnsguard.core.evidence import Trouble, is_dnsmasqs, weigh
from dnsguard.core.vocabulary import Fault, Verdict

ROOT, ZONE = ". SOA", "intranet.example A"
ONE, TWO = "192.0.2.1", "192.0.2.2"
SILENCE = Trouble(Verdict.UNFORWARDED, "no answer in time")
SERVFAIL = Trouble(Verdict.SERVFAIL, "SERVFAIL")
NOT_FOUND = Trouble(Verdict.WRONG, "NXDOMAIN")
UNREACHABLE = Trouble(Verdict.UNREACHABLE, "Network is unreachable")

Said = dict[tuple[str, object], Trouble | None]


@pytest.mark.parametrize(
    ("through", "directly", "fault"),
    [
        ({ROOT: SERVFAIL}, {(ONE, ROOT): None}, Fault.DNSMASQ),
        ({ROOT: SILENCE}, {(ONE, ROOT): SILENCE, (TWO, ROOT): None}, Fault.DNSMASQ),
        ({ROOT: SERVFAIL, ZONE: None}, {(ONE, ROOT): None}, Fault.DNSMASQ),
        ({ROOT: None, ZONE: SERVFAIL}, {(ONE, ZONE): None}, Fault.DNSMASQ),
        ({ROOT: SILENCE}, {(ONE, ROOT): SILENCE, (TWO, ROOT): UNREACHABLE}, Fault.NETWORK),
        ({ROOT: SERVFAIL}, {(ONE, ROOT): UNREACHABLE}, Fault.NETWORK),
        ({ROOT: SILENCE, ZONE: SILENCE}, {(ONE, ROOT): SILENCE, (ONE, ZONE): SILENCE}, Fault.NETWORK),
        ({ROOT: None, ZONE: SERVFAIL}, {(ONE, ZONE): SERVFAIL}, Fault.ZONE),
        ({ROOT: None, ZONE: NOT_FOUND}, {(ONE, ZONE): NOT_FOUND, (TWO, ZONE): SILENCE}, Fault.ZONE),
        ({ROOT: SERVFAIL}, {(ONE, ROOT): SERVFAIL}, Fault.UNKNOWN),
        ({ZONE: NOT_FOUND}, {(ONE, ZONE): NOT_FOUND}, Fault.UNKNOWN),
        ({ROOT: SILENCE}, {}, Fault.UNKNOWN),
        ({ROOT: SILENCE, ZONE: None}, {}, Fault.UNKNOWN),
    ],
)
def test_dnsmasq_is_blamed_only_if_an_upstream_answers_what_it_did_not(
    through: dict[object, Trouble | None], directly: Said, fault: Fault
) -> None:
    """To leave it for servers that do no better would help nobody."""
    assert fault is weigh(through, directly).fault
    failing = {question: trouble for question, trouble in through.items() if trouble}
    assert (fault is Fault.DNSMASQ) == is_dnsmasqs(directly, failing)


def test_an_answer_to_another_question_does_not_blame_dnsmasq() -> None:
    """It may have come while dnsmasq's own was still under way, and dnsmasq has answered that one since."""
    assert Fault.ZONE is weigh({ROOT: None, ZONE: SERVFAIL}, {(ONE, ROOT): None, (ONE, ZONE): SERVFAIL}).fault


def test_an_upstream_that_answers_anything_is_one_that_works() -> None:
    """It need not know the operator's zones; but who refuses every question is not to be named first."""
    directly: Said = {(ONE, ZONE): NOT_FOUND, (TWO, ZONE): SERVFAIL, (TWO, ROOT): SILENCE}
    evidence = weigh({ROOT: SILENCE, ZONE: SILENCE}, directly)

    assert ((ONE,), (TWO,)) == (evidence.answered, evidence.unanswered)


def test_the_evidence_is_told() -> None:
    """What dnsmasq said, what each upstream said, and of which zone."""
    blamed = weigh({ROOT: SERVFAIL}, {(ONE, ROOT): None, (TWO, ROOT): SILENCE}).trouble
    zone = weigh({ROOT: None, ZONE: SERVFAIL}, {(ONE, ZONE): SERVFAIL}).trouble

    assert Trouble(Verdict.SERVFAIL, f"SERVFAIL; {ONE} answers; no answer in time") == blamed
    assert f"SERVFAIL; while others pass, this fails directly as well: {ZONE}; SERVFAIL" == zone.detail
