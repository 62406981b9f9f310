"""Twin of dnsguard/core/upstreams.py."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnsguard.core.upstreams import Source, Sources, choose, first_file

NOTHING = Source("none")
PLAIN = Sources(
    records=None,
    interface_order=Source("interface-order"),
    head=Source("head"),
    base=Source("base"),
    tail=Source("tail"),
    upstream_file=Source("/run/dnsmasq/resolv.conf"),
    others=(Source("NetworkManager"), Source("systemd-resolved")),
    etc=Source("/etc/resolv.conf"),
    published=Source("published"),
    newcomer=Source("newcomer"),
    kept=Source("kept"),
    attached=True,
)


def says(name: str, *nameservers: str, more: str = "") -> Source:
    """A source that names these servers."""
    return Source(name, "".join(f"nameserver {each}\n" for each in nameservers) + more)


def not_own(_: str) -> bool:
    """No server is this host."""
    return False


def with_records(*records: Source, **more: object) -> Sources:
    """A host with resolvconf."""
    return replace(PLAIN, records=records, **more)  # type: ignore[arg-type]


def nameservers(sources: Sources) -> tuple[str, ...]:
    """The list that is chosen; () if there is none."""
    upstreams = choose(sources, not_own).upstreams
    return upstreams.nameservers if upstreams else ()


def test_records_come_first_in_their_interfaces_order() -> None:
    """What resolvconf's own libc hook would write, without the cut after loopback."""
    sources = with_records(
        says("eth0.inet", "192.0.2.1"),
        says("tun0", "192.0.2.2"),
        says("lo.dnsmasq", "127.0.0.1"),
        base=says("base", "192.0.2.3"),
        upstream_file=says("upstream file", "192.0.2.9"),
    )
    upstreams = choose(sources, not_own).upstreams

    assert upstreams is not None
    assert ("192.0.2.2", "192.0.2.1", "192.0.2.3") == upstreams.nameservers
    assert "resolvconf: tun0, eth0.inet" == upstreams.source


def test_base_is_not_demanded_of_dnsmasq() -> None:
    """update.d/dnsmasq never gives it to dnsmasq, so dnsmasq would be mistrusted for ever."""
    sources = with_records(says("eth0.inet", "192.0.2.1"), base=says("base", "192.0.2.3"))
    upstreams = choose(sources, not_own).upstreams

    assert upstreams is not None
    assert ("192.0.2.1",) == upstreams.demanded


def test_with_nothing_but_base_it_is_demanded_all_the_same() -> None:
    """A dnsmasq that knows no server at all must not be trusted."""
    upstreams = choose(with_records(base=says("base", "192.0.2.3")), not_own).upstreams

    assert upstreams is not None
    assert ("192.0.2.3",) == upstreams.demanded


def test_the_upstream_file_is_next_then_the_other_managers_then_what_was_there() -> None:
    """The first source with a usable server wins."""
    sources = replace(
        PLAIN,
        upstream_file=says("file", "192.0.2.1"),
        others=(says("NetworkManager", "192.0.2.2"), says("resolved", "192.0.2.3")),
        etc=says("etc", "192.0.2.4"),
        kept=says("kept", "192.0.2.5"),
    )

    assert ("192.0.2.1",) == nameservers(sources)
    sources = replace(sources, upstream_file=Source("file", ""))
    assert ("192.0.2.2",) == nameservers(sources)
    sources = replace(sources, others=(NOTHING, says("resolved", "192.0.2.3")))
    assert ("192.0.2.3",) == nameservers(sources)
    sources = replace(sources, others=())
    assert ("192.0.2.4",) == nameservers(sources)
    assert ("192.0.2.5",) == nameservers(replace(sources, etc=NOTHING))


def test_loopback_and_own_addresses_are_never_upstreams() -> None:
    """Such a server is a forwarder that would ask itself."""
    sources = replace(PLAIN, upstream_file=says("file", "127.0.0.53", "::1", "192.0.2.7", "192.0.2.1"))
    upstreams = choose(sources, lambda address: address == "192.0.2.7").upstreams

    assert upstreams is not None
    assert ("192.0.2.1",) == upstreams.nameservers


def test_only_loopback_is_no_list() -> None:
    """It is said, so that somebody can mend it."""
    reading = choose(replace(PLAIN, etc=says("etc", "127.0.0.1")), not_own)

    assert reading.upstreams is None
    assert ("no source names a usable upstream",) == reading.complaints


def test_search_and_options_come_along_as_resolvconf_would_put_them() -> None:
    """The last search line wins in libc: tail, else the records' domains, else head."""
    record = says("eth0.inet", "192.0.2.1", more="domain a.example\noptions edns0\nsortlist 192.0.2.0\n")
    second = says("eth1.inet", more="search b.example\n")
    sources = with_records(record, second, head=says("head", more="search h.example\n"))
    upstreams = choose(sources, not_own).upstreams

    assert upstreams is not None
    assert ("a.example", "b.example") == upstreams.search
    assert (("edns0",), ("sortlist 192.0.2.0",)) == (upstreams.options, upstreams.rest)
    tailed = choose(replace(sources, tail=says("tail", more="search t.example\n")), not_own).upstreams
    assert tailed is not None
    assert ("t.example",) == tailed.search


def test_servers_of_head_and_tail_count() -> None:
    """resolvconf copies both verbatim, so libc would ask them."""
    sources = with_records(says("eth0.inet", "192.0.2.2"), head=says("h", "192.0.2.1"), tail=says("t", "192.0.2.3"))

    assert ("192.0.2.1", "192.0.2.2", "192.0.2.3") == nameservers(sources)


def test_an_indented_record_counts() -> None:
    """resolvconf's scripts accept it, though libc would not."""
    assert ("192.0.2.1",) == nameservers(with_records(Source("eth0.inet", "  nameserver 192.0.2.1\n")))


def test_registration_is_a_fact_of_resolvconf_alone() -> None:
    """Without resolvconf there is nothing to register with."""
    assert choose(PLAIN, not_own).registered is None
    assert choose(with_records(), not_own).registered is False
    assert choose(with_records(says("lo.dnsmasq", "127.0.0.1")), not_own).registered is True
    assert choose(with_records(says("lo.dnsmasq.two", "127.0.0.1")), not_own).registered is True
    assert choose(with_records(says("lo.dnsmasqx", "127.0.0.1")), not_own).registered is False


def test_what_dnsmasq_is_offered_is_told_apart_from_no_offer() -> None:
    """An emptied file announces an end; a missing one says that dnsmasq is fed otherwise."""
    assert choose(PLAIN, not_own).offered is None
    assert () == choose(replace(PLAIN, upstream_file=Source("file", "")), not_own).offered
    assert ("192.0.2.1",) == choose(replace(PLAIN, upstream_file=says("file", "192.0.2.1")), not_own).offered


def test_a_damaged_source_is_complained_of_and_passed_over() -> None:
    """One bad file must not blind the guard to the others."""
    sources = with_records(
        says("eth0.inet", "192.0.2.1"),
        Source("eth1.inet", "nameserver nonsense\n"),
        upstream_file=Source("file", None, "larger than 65536 bytes"),
    )
    reading = choose(sources, not_own)

    assert ("192.0.2.1",) == nameservers(sources)
    assert "file: larger than 65536 bytes" in reading.complaints
    assert any(complaint.startswith("eth1.inet: line 1") for complaint in reading.complaints)


def test_what_stands_in_resolv_conf_is_kept_for_the_log_bounded() -> None:
    """A stranger's file may be long."""
    reading = choose(replace(PLAIN, attached=False, etc=Source("etc", "x" * 10_000)), not_own)

    assert 500 == len(reading.trampled_by)


OURS = "# Written by dnsguard (direct, generation 1); changes made here will be lost.\nnameserver 192.0.2.1\n"


def test_a_published_file_is_whole_if_it_says_what_was_written() -> None:
    """In a new life nobody knows what was written; our mark must be enough."""
    ours = replace(PLAIN, published=Source("published", OURS))

    assert choose(ours, not_own, OURS).spoilt_by is None
    assert choose(ours, not_own).spoilt_by is None
    assert choose(PLAIN, not_own).spoilt_by is None
    assert "" == choose(PLAIN, not_own, OURS).spoilt_by


def test_what_a_guard_before_us_left_is_inherited() -> None:
    """Only in a new life, only if it bears our mark, and only while libc reads it."""
    left = replace(PLAIN, published=Source("published", OURS.replace("192.0.2.1", "127.0.0.1")))

    assert ("127.0.0.1",) == choose(left, not_own).inherited
    assert () == choose(left, not_own, OURS).inherited
    assert () == choose(replace(left, attached=False), not_own).inherited
    assert () == choose(replace(PLAIN, published=says("published", "127.0.0.1")), not_own).inherited


def test_another_programs_file_in_place_of_ours_is_a_newcomer_and_a_source() -> None:
    """In this life and in a new one; it is newer than what was kept by attach."""
    there = replace(PLAIN, published=says("published", "192.0.2.7"), newcomer=says("newcomer", "192.0.2.8"))
    for written in (OURS, None):
        reading = choose(replace(there, kept=says("kept", "192.0.2.9")), not_own, written)

        assert reading.newcomer
        assert "nameserver 192.0.2.7\n" == reading.spoilt_by
        assert reading.upstreams
        assert ("192.0.2.7",) == reading.upstreams.nameservers
    assert ("192.0.2.8",) == nameservers(replace(there, published=Source("published", OURS)))


def test_a_line_added_to_our_file_is_no_newcomer() -> None:
    """Our guarded file names one upstream of several: taken for a list it would lose the others."""
    reading = choose(replace(PLAIN, published=Source("published", OURS + "options rotate\n")), not_own, OURS)

    assert reading.spoilt_by
    assert not reading.newcomer
    assert reading.upstreams is None


def test_what_is_kept_and_stands_there_since_the_boot_is_no_newcomer() -> None:
    """systemd-tmpfiles put it there; what was written into our file before the boot is newer."""
    there = replace(
        PLAIN,
        published=says("published", "192.0.2.7"),
        kept=says("kept", "192.0.2.7"),
        newcomer=says("newcomer", "192.0.2.8"),
    )
    reading = choose(there, not_own)

    assert (False, None) == (reading.newcomer, reading.spoilt_by)
    assert ("192.0.2.8",) == nameservers(there)


def test_a_file_without_a_usable_server_is_no_newcomer() -> None:
    """What it replaces in our memory may be better."""
    reading = choose(replace(PLAIN, published=says("published", "127.0.0.1")), not_own, OURS)

    assert (False, "nameserver 127.0.0.1\n") == (reading.newcomer, reading.spoilt_by)


def test_the_first_file_names_the_upstreams_or_what_there_was() -> None:
    """attach must never leave a host with less than it had."""
    found = first_file(replace(PLAIN, kept=says("kept", "192.0.2.5", more="options edns0\n")), not_own)
    left = first_file(replace(PLAIN, etc=says("etc", "127.0.0.1")), not_own)

    assert (("192.0.2.5",), ("edns0",)) == (found.nameservers, found.options)
    assert ("127.0.0.1",) == left.nameservers


@given(st.text(), st.text(), st.text(), st.lists(st.tuples(st.text(), st.text())))
def test_no_content_is_an_error(order: str, file: str, etc: str, records: list[tuple[str, str]]) -> None:
    """Whatever the files say, a reading comes out, and its list is never empty."""
    sources = with_records(
        *(Source(name, text) for name, text in records),
        interface_order=Source("interface-order", order),
        upstream_file=Source("file", file),
        etc=Source("etc", etc),
    )
    reading = choose(sources, not_own)

    assert reading.upstreams is None or reading.upstreams.nameservers


HOME = ("eth0 192.0.2.1 02:00:00:00:00:01",)
REMEMBERED = says("upstreams.conf", "192.0.2.53", more=f"# networks: {HOME[0]}\n")


def test_what_was_known_last_is_used_while_no_source_speaks() -> None:
    """At a start without a lease; only where it was known, and that it is a memory is said."""
    reading = choose(replace(PLAIN, remembered=REMEMBERED, networks=HOME), not_own)

    assert reading.upstreams is not None
    assert ("192.0.2.53",) == reading.upstreams.nameservers
    assert "what was known last (upstreams.conf)" == reading.upstreams.source
    assert (True, HOME) == (reading.from_memory, reading.networks)
    assert "no source names a usable upstream" in reading.complaints
    assert None is choose(replace(PLAIN, remembered=REMEMBERED), not_own).upstreams


def test_any_source_is_better_than_memory() -> None:
    sources = replace(PLAIN, remembered=REMEMBERED, networks=HOME, kept=says("kept", "192.0.2.9"))

    assert ("192.0.2.9",) == nameservers(sources)
    assert not choose(sources, not_own).from_memory


UPLINKS = "/run/systemd/resolve/resolv.conf"


def own(address: str) -> bool:
    """This host's address."""
    return address == "192.0.2.2"


@pytest.mark.parametrize("server", ["127.0.0.1", "::1", "127.0.0.53", "192.0.2.2", "0.0.0.0"])
def test_this_host_is_never_published_and_who_names_it_is_named(server: str) -> None:
    """In a lease, in what the administrator adds, in dnsmasq's own file."""
    sources = with_records(
        says("eth0.inet", server, "192.0.2.53"), head=says("head", server), upstream_file=says("dnsmasq's file", server)
    )
    reading = choose(sources, own)

    assert reading.upstreams is not None
    assert (("192.0.2.53",), ()) == (reading.upstreams.nameservers, reading.offered)
    assert [f"{name}: {server} is this host itself, and is never published as an upstream"
            for name in ("eth0.inet", "head", "dnsmasq's file")] == list(reading.complaints)  # fmt: skip


def test_who_says_rightly_where_a_local_resolver_is_is_not_complained_of() -> None:
    """dnsmasq's own record, another resolver's, and what libc was told before."""
    local = says("lo.dnsmasq", "127.0.0.1"), says("lo.unbound", "127.0.0.1"), says("eth0.inet", "192.0.2.53")
    sources = with_records(*local, kept=says("kept", "127.0.0.1"), etc=says("/etc/resolv.conf", "127.0.0.53"))

    assert () == choose(sources, own).complaints


def test_a_systemd_resolved_that_asks_this_host_is_known() -> None:
    """Nothing of it is published; it is named where there is nobody else."""
    resolved = says(UPLINKS, "127.0.0.1", "192.0.2.2")
    alone = choose(replace(PLAIN, others=(says("NetworkManager", "127.0.0.1"), resolved)), own)
    among = choose(replace(PLAIN, others=(resolved,), upstream_file=says("file", "192.0.2.53")), own)

    assert alone.upstreams is None
    assert f"{UPLINKS} names this host alone: 127.0.0.1, 192.0.2.2" in alone.complaints
    assert ((), ("127.0.0.1", "192.0.2.2")) == (among.complaints, among.resolved_asks)
    for other in (says(UPLINKS), says(UPLINKS, "127.0.0.1", "192.0.2.53"), Source(UPLINKS)):
        assert () == choose(replace(PLAIN, others=(other,)), own).resolved_asks


def test_another_instances_record_is_not_dnsmasqs_own() -> None:
    """It stays when dnsmasq announces its end; where dnsmasq's name is not known, any will do."""
    other = with_records(says("lo.dnsmasq.two", "127.0.0.2"))

    assert choose(other, own).registered
    assert False is choose(replace(other, record="lo.dnsmasq"), own).registered
    assert choose(replace(other, record="lo.dnsmasq.two"), own).registered
