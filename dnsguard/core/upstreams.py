"""What several sources say -> the one list of real upstreams."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from dnsguard.core import remembered, resolvconf
from dnsguard.core.loops import UPLINKS
from dnsguard.core.records import in_order, is_dnsmasq
from dnsguard.core.resolvconf import ResolvConf, is_marked


@dataclass(frozen=True, slots=True)
class Source:
    """One file in resolv.conf syntax, as it was read.

    Attributes:
        name: the path, or the record's name, as a log shows it.
        text: what it says; None if it does not exist or cannot be read.
        trouble: why it could not be read, in words; empty if it was read or does not exist.
    """

    name: str
    text: str | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Sources:
    """Everything that was read in one look.

    Attributes:
        records: resolvconf's records by name; None if there is no resolvconf on this host.
        interface_order: its patterns file.
        head, base, tail: what its administrator wrote into resolv.conf.d.
        upstream_file: the file that dnsmasq is given.
        others: NetworkManager's and systemd-resolved's lists, in the order they are believed.
        etc: what /etc/resolv.conf says, followed if it is a link; text None while it is ours.
        published: what the file says that we write.
        newcomer: what another program wrote into that file last.
        kept: what /etc/resolv.conf said before `attach`, if it was a plain file.
        attached: whether /etc/resolv.conf is our link.
        remembered: the list that was good when it was last known, in this life of the guard or another.
        networks: the routers that this host sees, each "INTERFACE ADDRESS HARDWARE"; empty if it sees none.
        record: dnsmasq's own among the records; empty if that is not known: then any instance's will do.
    """

    records: tuple[Source, ...] | None
    interface_order: Source
    head: Source
    base: Source
    tail: Source
    upstream_file: Source
    others: tuple[Source, ...]
    etc: Source
    published: Source
    newcomer: Source
    kept: Source
    attached: bool
    remembered: Source = Source("")
    networks: tuple[str, ...] = ()
    record: str = ""


@dataclass(frozen=True, slots=True)
class Upstreams:
    """The real upstreams, and what goes with them into resolv.conf.

    Attributes:
        nameservers: canonical addresses, never empty, never this host's own.
        demanded: those of them that dnsmasq must hold before it can be trusted.
        source: where they were found.
    """

    nameservers: tuple[str, ...]
    demanded: tuple[str, ...]
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    rest: tuple[str, ...] = ()
    source: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one look at all sources comes to.

    Attributes:
        upstreams: the list, or None if no source names a usable server.
        offered: the usable servers in the file that dnsmasq is given; None if there is no such file.
        registered: whether dnsmasq's record, `lo.dnsmasq`, is there; None without resolvconf.
        attached: whether /etc/resolv.conf is our link.
        trampled_by: what stands in /etc/resolv.conf while it is not ours, bounded, for the log.
        spoilt_by: what stands in the file that we write while that is not what we wrote, bounded,
            for the log; None while it is.
        newcomer: whether that is a whole file of another program, and names a usable server.
        inherited: the servers that libc is told of by a file of ours from another life.
        from_memory: no source names a usable server, and `upstreams` is what was known last, in these networks.
        networks: as in Sources.
        resolved_asks: whom systemd-resolved asks, if that is this host alone; else empty.
        complaints: what could not be read or understood, or names this host itself, each with its source.
    """

    upstreams: Upstreams | None
    offered: tuple[str, ...] | None = None
    registered: bool | None = None
    attached: bool = True
    trampled_by: str = ""
    spoilt_by: str | None = None
    newcomer: bool = False
    inherited: tuple[str, ...] = ()
    from_memory: bool = False
    networks: tuple[str, ...] = ()
    resolved_asks: tuple[str, ...] = ()
    complaints: tuple[str, ...] = ()


# A log line is for reading: what a stranger wrote into resolv.conf is shown up to here.
SHOWN_CHARACTERS = 500


def choose(sources: Sources, is_own: Callable[[str], bool], written: str | None = None) -> Reading:
    """Find the first source that names a usable server.

    `is_own` says whether an address is one of this host's: such a server, like a loopback one,
    is a forwarder that would ask itself, never an upstream. A damaged source is complained of
    and passed over; it never stops the look. `written` is what was last published; None if that
    was in another life: then a file that bears our mark is taken for ours.
    """

    def usable(nameservers: Sequence[str]) -> tuple[str, ...]:
        return tuple(each for each in nameservers if not resolvconf.is_loopback(each) and not is_own(each))

    def own_alone(source: Source) -> tuple[str, ...]:
        named = _parsed(source).nameservers
        return () if usable(named) else named

    offered = _parsed(sources.upstream_file)
    spoilt_by = _spoilt_by(sources, written)
    # DHCP clients that know no resolvconf write through our link; a line added to our file is no new one.
    stranger = Source(sources.published.name, None if is_marked(spoilt_by or "") else spoilt_by)
    newcomer = _from_file(stranger, usable)
    upstreams = _from_records(sources, usable)
    for source in (sources.upstream_file, *sources.others, sources.etc, stranger, sources.newcomer, sources.kept):
        upstreams = upstreams or _from_file(source, usable)
    memory = None if upstreams else _from_memory(sources, usable)
    return Reading(
        upstreams=upstreams or memory,
        offered=None if sources.upstream_file.text is None else usable(offered.nameservers),
        registered=_registered(sources),
        attached=sources.attached,
        trampled_by="" if sources.attached else (sources.etc.text or "")[:SHOWN_CHARACTERS],
        spoilt_by=None if spoilt_by is None else spoilt_by[:SHOWN_CHARACTERS],
        newcomer=newcomer is not None,
        inherited=_parsed(sources.published).nameservers if _is_inherited(sources, written) else (),
        from_memory=memory is not None,
        networks=sources.networks,
        resolved_asks=next((own_alone(each) for each in sources.others if each.name.endswith(UPLINKS)), ()),
        complaints=(
            *_complaints(sources),
            *_namings_of_this_host(sources, usable),
            *(() if upstreams else ("no source names a usable upstream", *_alone(sources, own_alone))),
        ),
    )


def _spoilt_by(sources: Sources, written: str | None) -> str | None:
    """What stands there instead of what was written: "" if nothing can be read, None if all is well.

    At boot systemd-tmpfiles has put there what is kept.
    """
    text = sources.published.text or ""
    if written is None:
        return None if resolvconf.is_marked(text) or text in ("", sources.kept.text) else text
    return None if text == written else text


def _is_inherited(sources: Sources, written: str | None) -> bool:
    return written is None and sources.attached and resolvconf.is_marked(sources.published.text or "")


def first_file(sources: Sources, is_own: Callable[[str], bool]) -> ResolvConf:
    """What `attach` publishes before any daemon has run: the real upstreams, or what there was.

    May be without a nameserver if nothing on this host names one; libc then asks 127.0.0.1, as
    it did before.
    """
    upstreams = choose(sources, is_own).upstreams
    if upstreams is None:
        return _parsed(sources.etc)
    return ResolvConf(upstreams.nameservers, upstreams.search, upstreams.options, upstreams.rest)


def _from_file(source: Source, usable: Callable[[Sequence[str]], tuple[str, ...]]) -> Upstreams | None:
    conf = _parsed(source)
    nameservers = usable(conf.nameservers)
    if not nameservers:
        return None
    return Upstreams(nameservers, nameservers, conf.search, conf.options, conf.rest, source.name)


def _from_memory(sources: Sources, usable: Callable[[Sequence[str]], tuple[str, ...]]) -> Upstreams | None:
    """What was known last, if this host is where it was known."""
    if not remembered.is_of(sources.remembered.text or "", sources.networks):
        return None
    found = _from_file(sources.remembered, usable)
    return found and replace(found, source=f"what was known last ({found.source})")


def _from_records(sources: Sources, usable: Callable[[Sequence[str]], tuple[str, ...]]) -> Upstreams | None:
    """Put the records together as resolvconf's own update.d/libc does.

    The difference: nothing is cut after a loopback server, and no more is demanded of dnsmasq
    than update.d/dnsmasq gives it: the records, without `lo.*`, head, base and tail.
    """
    if sources.records is None:
        return None
    by_name = {record.name: record for record in sources.records}
    names = [name for name in in_order(by_name, sources.interface_order.text) if not is_dnsmasq(name)]
    confs = {name: _parsed(by_name[name]) for name in names}
    middle = [*confs.values(), _parsed(sources.base)]
    head, tail = _parsed(sources.head), _parsed(sources.tail)
    nameservers = usable(_each_once(conf.nameservers for conf in (head, *middle, tail)))
    if not nameservers:
        return None
    given = usable(_each_once(conf.nameservers for name, conf in confs.items() if not name.startswith("lo.")))
    return Upstreams(
        nameservers,
        given or nameservers,
        # The last `search` line wins in libc: tail, else the records' domains, else head.
        tail.search or _each_once(conf.search for conf in middle) or head.search,
        _each_once(conf.options for conf in (head, *middle, tail)),
        _each_once(conf.rest for conf in (head, *middle, tail)),
        "resolvconf: " + (", ".join(name for name in names if confs[name].nameservers) or sources.base.name),
    )


def _registered(sources: Sources) -> bool | None:
    """Another instance's record says nothing of ours: it stays when ours is taken away."""
    if sources.records is None:
        return None
    names = (record.name for record in sources.records)
    return any(name == sources.record if sources.record else is_dnsmasq(name) for name in names)


def _namings_of_this_host(sources: Sources, usable: Callable[[Sequence[str]], tuple[str, ...]]) -> Iterable[str]:
    """What is meant as an upstream, and is this host itself: dnsmasq is given it, or libc would be, but for us.

    A local resolver's own record says rightly where it is; so does what libc was told before.
    """
    records = [each for each in sources.records or () if not each.name.startswith("lo.")]
    for source in (*records, sources.head, sources.base, sources.tail, sources.upstream_file):
        named = _parsed(source).nameservers
        own = ", ".join(each for each in named if not usable([each]))
        if own:
            yield f"{source.name}: {own} is this host itself, and is never published as an upstream"


def _alone(sources: Sources, own_alone: Callable[[Source], tuple[str, ...]]) -> Iterable[str]:
    for source in sources.others:
        if named := own_alone(source):
            yield f"{source.name} names this host alone: {', '.join(named)}"


def _parsed(source: Source) -> ResolvConf:
    # resolvconf's scripts accept keywords that are indented; libc, which reads their output, does not.
    lines = (source.text or "").split("\n")
    return resolvconf.parse("\n".join(line.lstrip(" \t") for line in lines))


def _complaints(sources: Sources) -> Iterable[str]:
    texts = (
        sources.head,
        sources.base,
        sources.tail,
        sources.upstream_file,
        *sources.others,
        sources.newcomer,
        sources.kept,
    )
    for source in (*(sources.records or ()), *texts, sources.etc, sources.interface_order):
        if source.trouble:
            yield f"{source.name}: {source.trouble}"
    for source in (*(sources.records or ()), *texts, sources.etc):
        for complaint in _parsed(source).complaints[:3]:
            yield f"{source.name}: {complaint}"


def _each_once(lists: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for words in lists for word in words))
