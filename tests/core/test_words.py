"""Twin of dnsguard/core/words.py: what an operator reads."""

from dataclasses import replace

import pytest

from dnsguard.core import events as on
from dnsguard.core.banner import status_line
from dnsguard.core.events import Event
from dnsguard.core.guard import decide
from dnsguard.core.nature import Nature
from dnsguard.core.servers import Server
from dnsguard.core.state import State
from dnsguard.core.vocabulary import Fault, Kind, Phase, Timer, Verdict, ZoneDown
from dnsguard.core.words import ROUTINE, Said, say
from tests.core.story import NEW, OLD, PID, POLICY, direct, failed, guarded, look, passed, proving, upstreams

MET = direct(nature=None, understood=False)
YIELDED = direct(phase=Phase.YIELDED, attached=False)
FRESH = State(policy=POLICY)
ENDING = direct(held=(), reloads=POLICY.reload_tries, asked_update=True)
DAMAGE = ("file: binary",)
RESTATED = replace(upstreams(OLD), source="another file")


def blamed(fault: Fault, *answered: str) -> on.ProbeFailed:
    """A forwarded question failed, and this is whose fault it is."""
    return replace(failed(Verdict.UNFORWARDED), fault=fault, answered=answered)


@pytest.mark.parametrize(
    ("state", "event", "code", "level"),
    [
        (FRESH, on.Started(), "started", "info"),
        (replace(FRESH, candidate=upstreams(OLD)), look(OLD, settled=True), "upstreams-known", "info"),
        (guarded(candidate=upstreams(NEW)), look(NEW, settled=True), "upstreams-changed", "info"),
        (direct(), passed(forward=False), "on-trial", "info"),
        (proving(passes=2), passed(), "guarded", "info"),
        (guarded(), on.DnsmasqGone(PID), "dnsmasq-died", "warning"),
        (proving(), on.DnsmasqGone(PID), "dnsmasq-died", "info"),
        (direct(), on.DnsmasqGone(PID), "dnsmasq-died", "info"),
        (guarded(), look(OLD, registered=False), "dnsmasq-leaving", "info"),
        (guarded(), failed(Verdict.CLOSED), "dnsmasq-failed", "warning"),
        (proving(), failed(Verdict.LACKING), "trial-failed", "info"),
        (guarded(), failed(), "dnsmasq-doubted", "warning"),
        (direct(), failed(), "dnsmasq-doubted", "info"),
        (guarded(), blamed(Fault.NETWORK), "network-down", "warning"),
        (proving(), blamed(Fault.NETWORK), "network-down", "warning"),
        (guarded(), blamed(Fault.ZONE), "zone-down", "warning"),
        (guarded(), blamed(Fault.UNKNOWN), "fault-unknown", "warning"),
        (guarded(fault=Fault.NETWORK), blamed(Fault.UNKNOWN), "fault-unknown", "warning"),
        (guarded(fault=Fault.NETWORK), passed(), "fault-over", "info"),
        (guarded(fault=Fault.NETWORK), blamed(Fault.DNSMASQ, NEW), "fault-over", "info"),
        (direct(upstreams=upstreams(OLD, NEW)), on.Compared(1, (NEW,), (OLD,)), "order-changed", "warning"),
        (
            direct(upstreams=upstreams(OLD, NEW), spared=(OLD,), returning=(OLD,)),
            on.Compared(1, (OLD, NEW), ()),
            "order-changed",
            "info",
        ),
        (guarded(), on.DnsmasqFound(PID + 1), "direct", "info"),
        (direct(pid=None), on.DnsmasqFound(PID), "dnsmasq-found", "info"),
        (direct(pid=None), on.DnsmasqMissing("no PID file"), "dnsmasq-missing", "info"),
        (MET, on.NatureRead(PID, Nature()), "standby", "info"),
        (MET, on.NatureRead(PID, Nature(validates=True)), "standby", "info"),
        (MET, on.NatureRead(PID, Nature(unread=("a file",))), "standby", "warning"),
        (MET, on.NatureRead(PID, Nature(port=5353)), "dnsmasq-barred", "warning"),
        (direct(reloaded=0), on.ReloadSent(1, PID), "reload-sent", "info"),
        (direct(reloads=1), on.ReloadSent(1, PID), "reload-repeated", "warning"),
        (direct(), on.UpdateAsked(), "update-asked", "warning"),
        (direct(reloaded=0), on.UpdateAsked(), "update-asked", "warning"),
        (direct(), on.UpdateNotAsked("ENOSPC"), "update-not-asked", "error"),
        (direct(), on.EndFailed(1, PID, "EPERM"), "end-failed", "warning"),
        (ENDING, on.TimerFired(Timer.RELOAD), "dnsmasq-ended", "warning"),
        (direct(), on.ReloadFailed(1, PID, "EPERM"), "reload-failed", "warning"),
        (direct(), on.PublishFailed(Kind.DIRECT, 1, "ENOSPC"), "publish-failed", "error"),
        (guarded(), look(OLD, attached=False, trampled_by="nameserver 1.2.3.4"), "trampled", "warning"),
        (guarded(), look(OLD, spoilt_by="nameserver 1.2.3.4"), "trampled", "warning"),
        (guarded(rounds=8), look(OLD, attached=False), "yielded", "error"),
        (YIELDED, look(OLD), "resumed", "info"),
        (guarded(), on.AttachNotAsked("EACCES"), "attach-not-asked", "error"),
        (guarded(), look(OLD, complaints=("file: binary",)), "sources-damaged", "warning"),
        (guarded(candidate=RESTATED), look(OLD, upstreams=RESTATED, settled=True), "upstreams-restated", "info"),
        (direct(ready=False), on.LookupAnswered(Kind.DIRECT, 1, OLD), "ready", "info"),
        (FRESH, on.TimerFired(Timer.READY), "ready-degraded", "warning"),
        (guarded(), on.SettingsChanged(POLICY), "settings-changed", "info"),
        (guarded(), on.StopAsked(), "stopping", "info"),
    ],
)
def test_what_an_operator_must_know_has_a_code_and_a_level(state: State, event: Event, code: str, level: str) -> None:
    """Codes are stable, and `-p warning` shows what cost or may cost lookups."""
    after, actions = decide(state, event)
    said = say(state, event, after, actions)

    assert (code, level) == (said.code, said.level)
    assert said.text


@pytest.mark.parametrize(
    ("state", "event", "code", "level"),
    [
        (guarded(), look(OLD, registered=False, complaints=DAMAGE), "dnsmasq-leaving", "warning"),
        (guarded(candidate=upstreams(NEW)), look(NEW, complaints=DAMAGE, settled=True), "upstreams-changed", "warning"),
        (
            guarded(candidate=RESTATED),
            look(OLD, upstreams=RESTATED, complaints=DAMAGE, settled=True),
            "upstreams-restated",
            "warning",
        ),
        (guarded(), look(OLD, attached=False, complaints=DAMAGE), "trampled", "warning"),
        (guarded(rounds=8), look(OLD, attached=False, complaints=DAMAGE), "yielded", "error"),
    ],
)
def test_damage_is_told_whatever_else_the_look_shows(state: State, event: Event, code: str, level: str) -> None:
    """The next look finds the same damage and is silent about it: it is told now or never."""
    after, actions = decide(state, event)
    said = say(state, event, after, actions)

    assert (code, level) == (said.code, said.level)
    assert said.text.endswith("; file: binary")


@pytest.mark.parametrize(
    ("state", "event"),
    [
        (guarded(), passed()),
        (guarded(), on.FilesStirred()),
        (guarded(), look(OLD)),
        (guarded(), on.TimerFired(Timer.PROBE)),
        (guarded(fault=Fault.NETWORK), blamed(Fault.NETWORK)),
        (guarded(fault=Fault.NETWORK), passed(forward=False)),
        (direct(upstreams=upstreams(OLD, NEW), spared=(OLD,)), on.Compared(1, (NEW,), (OLD,))),
        (direct(upstreams=upstreams(OLD, NEW), spared=(OLD,)), on.Compared(1, (OLD, NEW), ())),
        (direct(pid=None, missing="no PID file"), on.DnsmasqMissing("no PID file")),
        (guarded(attached=False), look(OLD, attached=False)),
        (guarded(complaints=("file: binary",)), look(OLD, complaints=("file: binary",))),
    ],
)
def test_what_goes_on_all_day_is_routine(state: State, event: Event) -> None:
    """A healthy host's journal stays empty; the same trouble is told once."""
    after, actions = decide(state, event)

    assert say(state, event, after, actions) is ROUTINE


def test_a_flip_says_who_is_blamed_and_why() -> None:
    """By comparison, or by what dnsmasq must know by itself."""
    texts = []
    state = guarded(failures=1, policy=replace(POLICY, zone_down=ZoneDown.FLIP))
    for event in (blamed(Fault.DNSMASQ, OLD), failed(), blamed(Fault.ZONE)):
        after, actions = decide(state, event)
        texts.append(say(state, event, after, actions).text)

    assert f"dnsmasq is at fault (unforwarded: as told); libc asks {OLD} now" == texts[0]
    assert texts[1].startswith("dnsmasq is no use (silent")
    assert texts[2].startswith("a zone is down (unforwarded")


def test_an_announced_end_is_told_by_its_sign() -> None:
    """An emptied file is not a deregistration: there somebody may have to write it again."""
    emptied = on.SourcesRead(replace(look(OLD).reading, offered=()))
    texts = []
    for event in (emptied, look(OLD, registered=False)):
        after, actions = decide(guarded(), event)
        texts.append(say(guarded(), event, after, actions).text)

    assert [True, False] == ["emptied" in text for text in texts]


def test_a_stranger_in_resolv_conf_is_quoted_harmlessly() -> None:
    """What somebody wrote into a file must not write into our log."""
    event = look(OLD, attached=False, trampled_by="x\nnameserver 1.2.3.4\x1b[2J")
    after, actions = decide(guarded(), event)
    text = say(guarded(), event, after, actions).text

    assert text.isprintable()
    assert "1.2.3.4" in text


def test_what_a_configuration_leads_to_is_said_when_it_becomes_known_or_changes() -> None:
    """Not at each restart; and what is noted of it stands in the same line."""
    again = replace(MET, nature=Nature())
    own = on.NatureRead(PID, Nature(no_resolv=True))
    for event in (on.NatureRead(PID, Nature()), on.NatureRead(PID + 1, Nature(validates=True))):
        assert ROUTINE == say(again, event, *decide(again, event))
    said = say(again, own, *decide(again, own))

    assert said.text.startswith(f"an upstream stands behind dnsmasq (PID {PID}) while it is trusted: dnsmasq neither")
    assert "its own servers (no-resolv)" in said.text


SELF = Server("127.0.0.1", option="server=127.0.0.1 (f:1)")
ALONE, AMONG = Nature(no_resolv=True, servers=(SELF,)), Nature(servers=(SELF,))
STUB = Nature(no_resolv=True, binds=True, servers=(Server("127.0.0.53", option="server=127.0.0.53 (f:1)"),))


def told(before: State, event: Event) -> Said:
    """The line of this decision."""
    return say(before, event, *decide(before, event))


def test_a_loop_is_named_with_its_line_and_its_mend() -> None:
    """With other servers it is no reason not to use dnsmasq; then what follows for the standby is said as well."""
    alone, among = told(MET, on.NatureRead(PID, ALONE)), told(MET, on.NatureRead(PID, AMONG))

    assert [("loop", "warning")] * 2 == [(said.code, said.level) for said in (alone, among)]
    assert "libc is never given dnsmasq" in alone.text
    assert "stands behind" not in alone.text
    assert "an upstream stands behind dnsmasq" in among.text
    for said in (alone, among):
        assert 1 == said.text.count("server=127.0.0.1 (f:1) leads back to dnsmasq itself: remove that line")


def test_what_is_barred_for_the_same_reason_is_not_said_again() -> None:
    """A restart is no news; another reason is, and so is another option."""
    again = replace(MET, nature=ALONE)

    assert ROUTINE == told(again, on.NatureRead(PID, ALONE))
    assert "loop" == told(again, on.NatureRead(PID, replace(ALONE, no_ident=True))).code
    assert "dnsmasq-barred" == told(again, on.NatureRead(PID, replace(ALONE, port=0))).code


def test_a_circle_that_closes_is_told_with_what_libc_asks_now() -> None:
    """One line, and the code is that of what must be mended."""
    said = told(guarded(nature=STUB), look(OLD, resolved_asks=("127.0.0.1",)))

    assert ("loop", "warning") == (said.code, said.level)
    assert said.text.endswith(f"libc asks {OLD} now")


def test_who_reads_what_is_published_is_told_of_when_that_begins_to_matter() -> None:
    """With a second upstream the standby is no longer all that it needs."""
    mirror = direct(nature=Nature(mirror="/etc/resolv.conf"), candidate=upstreams(OLD, NEW))
    said = told(mirror, look(OLD, NEW, settled=True))

    assert ("dnsmasq-circular", "warning") == (said.code, said.level)
    assert f"generation 2: upstreams {OLD}, {NEW}" in said.text
    assert "is not used: it takes its upstreams from /etc/resolv.conf" in status_line(
        replace(mirror, upstreams=upstreams(OLD, NEW))
    )
