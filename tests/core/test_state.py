"""Twin of dnsguard/core/state.py: what follows from what is known."""

from dataclasses import replace

import pytest

from dnsguard.core.nature import Nature
from dnsguard.core.servers import Server
from dnsguard.core.state import State, file_of
from dnsguard.core.vocabulary import Kind, Phase, Standby
from tests.core.story import NEW, OLD, POLICY, direct, guarded, upstreams


def test_only_the_guarded_phase_calls_for_dnsmasq() -> None:
    """In every other phase libc gets the upstreams."""
    assert {Phase.GUARDED} == {phase for phase in Phase if direct(phase=phase).wanted is Kind.GUARDED}


def test_the_direct_file_names_the_upstreams_and_does_not_vouch_for_them() -> None:
    """trust-ad is for a validating resolver on this host."""
    known = replace(upstreams(OLD, NEW), search=("example.net",), options=("edns0", "trust-ad"), rest=("sortlist x",))
    conf = file_of(direct(upstreams=known))

    assert ((OLD, NEW), ("edns0",)) == (conf.nameservers, conf.options)
    assert (("example.net",), ("sortlist x",)) == (conf.search, conf.rest)


def test_the_guarded_file_names_one_standby_that_libc_reaches_after_a_second() -> None:
    """Measured: with timeout:1 a lookup that a hung dnsmasq took in waits 1.0 s, without it 5 s."""
    conf = file_of(guarded(upstreams=upstreams(OLD, NEW), standby=NEW))

    assert ("127.0.0.1", NEW) == conf.nameservers
    assert ("timeout:1",) == conf.options


@pytest.mark.parametrize("standby", [None, "192.0.2.99"])
def test_the_standby_is_an_upstream_of_this_generation(standby: str | None) -> None:
    """The first one, as long as none has answered."""
    assert ("127.0.0.1", OLD) == file_of(guarded(upstreams=upstreams(OLD, NEW), standby=standby)).nameservers


def test_the_operators_own_timeout_stands_and_rotate_goes() -> None:
    """rotate would send every other lookup past dnsmasq."""
    known = replace(upstreams(OLD), options=("rotate", "timeout:3"))

    assert ("timeout:3",) == file_of(guarded(upstreams=known)).options


def test_behind_one_that_routes_nobody_stands_and_options_stay() -> None:
    """The rule and its reasons are in nature.py."""
    known = replace(upstreams(OLD), options=("rotate",))
    conf = file_of(guarded(upstreams=known, nature=Nature(keeps=("server=/corp/192.0.2.99",))))

    assert (("127.0.0.1",), ("rotate",)) == (conf.nameservers, conf.options)


def test_what_is_demanded_depends_on_who_it_is_demanded_of() -> None:
    """One with its own servers must hold some, whichever they are; one that is gone had its own."""
    own = direct(nature=Nature(no_resolv=True), offered=())

    assert ((OLD,), (), ()) == (direct().demanded, own.demanded, State().demanded)
    assert (OLD,) == replace(own, understood=False).demanded
    assert own.is_offered
    assert [False, False, True] == [replace(own, held=held).is_lacking for held in (None, (NEW,), ())]
    assert [False, True, True] == [direct(held=held).is_lacking for held in ((OLD, NEW), (NEW,), ())]


def test_only_one_that_is_understood_and_not_barred_may_be_given_to_libc() -> None:
    """Before its configuration was read it may be anything."""
    barred = direct(nature=Nature(port=5353))

    assert direct().is_eligible
    assert not any(each.is_eligible for each in (barred, direct(understood=False), direct(pid=None)))
    assert "port=5353" in barred.bar
    assert "" == direct().bar == replace(barred, understood=False).bar
    assert "" == replace(barred, policy=replace(POLICY, dnsmasq_port=5353)).bar


def test_without_standby_dnsmasq_stands_alone_and_options_stay() -> None:
    """For hosts where going on would leak internal names."""
    known = replace(upstreams(OLD), options=("rotate", "trust-ad"))
    conf = file_of(guarded(upstreams=known, policy=replace(POLICY, standby=Standby.NO)))

    assert (("127.0.0.1",), ("rotate", "trust-ad")) == (conf.nameservers, conf.options)


def test_published_means_this_kind_of_this_generation() -> None:
    """A file of the old list is not what is called for."""
    assert direct().is_published
    assert not direct(generation=2).is_published
    assert not direct(published=(Kind.GUARDED, 1)).is_published


def test_offered_means_all_that_is_demanded() -> None:
    """More may be in the file."""
    assert direct(offered=(NEW, OLD)).is_offered
    assert not direct(offered=(NEW,)).is_offered
    assert not direct(offered=None).is_offered
    assert not State().is_offered


def test_lacking_needs_to_have_been_seen() -> None:
    """What is not known is not held against dnsmasq."""
    assert direct(held=()).is_lacking
    assert not direct(held=None).is_lacking
    assert not direct(held=(NEW, OLD)).is_lacking
    assert not State(held=()).is_lacking


def test_who_does_not_answer_is_named_last_and_is_no_standby() -> None:
    """libc waits five seconds for each server, and reads only three."""
    known = upstreams(OLD, NEW)

    assert (NEW, OLD) == file_of(direct(upstreams=known, spared=(OLD,))).nameservers
    assert ("127.0.0.1", NEW) == file_of(guarded(upstreams=known, spared=(OLD,))).nameservers
    assert () == State(spared=(OLD,)).nameservers


def test_whom_libc_asks_need_not_be_asked_once_one_has_answered() -> None:
    assert direct().is_answered
    assert not direct(standby=None).is_answered
    assert guarded(standby=None).is_answered
    assert not direct(ready=False).is_answered


def test_told_means_after_the_list_was_accepted() -> None:
    assert direct().is_told
    assert not direct(reloaded=0).is_told


SELF = Server("127.0.0.1", option="server=127.0.0.1 (f:1)")
MIRROR = Nature(mirror="/etc/resolv.conf")


@pytest.mark.parametrize(
    "state",
    [
        direct(nature=MIRROR, policy=replace(POLICY, standby=Standby.NO)),
        direct(nature=replace(MIRROR, keeps=("address=/a/10.0.0.1",))),
        direct(nature=MIRROR, upstreams=upstreams(OLD, NEW)),
    ],
)
def test_who_reads_what_is_published_is_barred_if_that_would_rob_it(state: State) -> None:
    """While dnsmasq is named there, it is left the standby, or nobody."""
    assert "/etc/resolv.conf" in state.bar
    assert (False, state.bar) == (state.is_eligible, state.bars[2])


@pytest.mark.parametrize(
    "state",
    [
        direct(nature=MIRROR),
        direct(nature=MIRROR, upstreams=None),
        direct(nature=replace(MIRROR, may_ask_others=True), upstreams=upstreams(OLD, NEW)),
        direct(upstreams=upstreams(OLD, NEW)),
    ],
)
def test_who_is_left_with_what_it_needs_is_not(state: State) -> None:
    """A lone upstream is the standby, and stays in the file; servers of its own may be the others."""
    assert "" == state.bar


def test_one_that_asks_itself_alone_is_barred_and_named() -> None:
    """With others to ask it is only named."""
    alone = direct(nature=Nature(no_resolv=True, servers=(SELF,)))
    among = direct(nature=Nature(servers=(SELF,)))

    assert ("", alone.bar, "") == alone.bars
    assert alone.loops[0] in alone.bar
    assert (1, "") == (len(among.loops), among.bar)
    assert () == replace(among, understood=False).loops == direct().loops
