import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dnsguard.core.upstreams import Source, Sources
from dnsguard.edge.reader import MAX_BYTES, MAX_RECORDS, SourcePaths, read_sources, watched
from tests.fakes import unprivileged

TEXT = "nameserver 192.0.2.53\n"


def paths_in(root: Path) -> SourcePaths:
    """A host of its own, with the usual layout."""
    return SourcePaths(
        resolvconf_dir=root / "run/resolvconf",
        interface_order=root / "etc/resolvconf/interface-order",
        head=root / "etc/resolvconf/resolv.conf.d/head",
        base=root / "etc/resolvconf/resolv.conf.d/base",
        tail=root / "etc/resolvconf/resolv.conf.d/tail",
        upstream_file=root / "run/dnsmasq/resolv.conf",
        others=(root / "run/nm.conf", root / "run/resolved.conf"),
        resolv_conf=root / "etc/resolv.conf",
        published=root / "run/dnsguard/resolv.conf",
        newcomer=root / "run/dnsguard/newcomer.conf",
        kept=root / "var/kept",
        remembered=root / "var/upstreams.conf",
    )


@pytest.fixture
def paths(tmp_path: Path) -> SourcePaths:
    return paths_in(tmp_path)


def write(path: Path, content: str | bytes = TEXT) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def read_upstream_file(paths: SourcePaths) -> Source:
    return read_sources(paths).upstream_file


def records(paths: SourcePaths) -> tuple[Source, ...]:
    found = read_sources(paths).records
    assert found is not None
    return found


def test_a_bare_host_has_no_sources_and_no_trouble(paths: SourcePaths) -> None:
    expected = Sources(
        records=None,
        interface_order=Source(str(paths.interface_order)),
        head=Source(str(paths.head)),
        base=Source(str(paths.base)),
        tail=Source(str(paths.tail)),
        upstream_file=Source(str(paths.upstream_file)),
        others=tuple(Source(str(path)) for path in paths.others),
        etc=Source(str(paths.resolv_conf)),
        published=Source(str(paths.published)),
        newcomer=Source(str(paths.newcomer)),
        kept=Source(str(paths.kept)),
        attached=False,
        remembered=Source(str(paths.remembered)),
    )

    assert expected == read_sources(paths)


def test_every_source_is_read_from_its_own_path(paths: SourcePaths) -> None:
    """Each file says its own path; nothing is mixed up, nothing is left out."""
    files = [path for path in watched(paths) if path.parent != paths.resolvconf_dir]
    for path in files:
        write(path, str(path))
    write(paths.resolvconf_dir / "interface/eth0.inet", "record")
    write(paths.remembered, "remembered")

    sources = read_sources(paths)

    assert (Source("eth0.inet", "record"),) == sources.records
    single = (sources.interface_order, sources.head, sources.base, sources.tail, sources.upstream_file)
    found = [*single, *sources.others, sources.etc, sources.published, sources.newcomer, sources.kept]
    assert [Source(str(path), str(path)) for path in files] == found
    assert Source(str(paths.remembered), "remembered") == sources.remembered


def test_a_published_file_is_read_whole_even_if_it_is_long(paths: SourcePaths) -> None:
    """It is put together from several files, and must be known again."""
    long = TEXT + "sortlist 10.0.0.0\n" * (MAX_BYTES // 10)
    write(paths.published, long)

    assert long == read_sources(paths).published.text


def test_everything_is_watched(paths: SourcePaths) -> None:
    """A field that is added to SourcePaths must not be forgotten here."""
    named = [getattr(paths, field.name) for field in fields(SourcePaths)]
    flat = {path for entry in named for path in (entry if isinstance(entry, tuple) else (entry,))}
    record_directories = {paths.resolvconf_dir / "interface", paths.resolvconf_dir / "interfaces"}

    # Nobody but the guard itself writes `remembered`.
    assert (flat - {paths.resolvconf_dir, paths.remembered}) | record_directories == set(watched(paths))


def test_an_empty_file_is_not_an_absent_one(paths: SourcePaths) -> None:
    """Debian empties dnsmasq's upstream file while dnsmasq is not registered: that is news."""
    write(paths.upstream_file, "")

    assert Source(str(paths.upstream_file), "") == read_upstream_file(paths)


def test_bytes_that_are_not_utf_8_are_replaced(paths: SourcePaths) -> None:
    write(paths.upstream_file, b"# caf\xe9\nnameserver 192.0.2.53\n")

    assert "# caf\N{REPLACEMENT CHARACTER}\n" + TEXT == read_upstream_file(paths).text


def test_line_ends_are_left_as_they_are(paths: SourcePaths) -> None:
    """What they mean is for the parser to say."""
    write(paths.upstream_file, "nameserver 192.0.2.53\r\n")

    assert "nameserver 192.0.2.53\r\n" == read_upstream_file(paths).text


def test_a_file_with_nul_bytes_is_refused(paths: SourcePaths) -> None:
    """After a power cut there may be nothing else in it."""
    write(paths.upstream_file, b"\0" * 40)

    assert Source(str(paths.upstream_file), None, "it is binary: there are NUL bytes in it") == read_upstream_file(
        paths
    )


def test_a_file_may_be_as_large_as_allowed_and_no_larger(paths: SourcePaths) -> None:
    write(paths.upstream_file, "#" * MAX_BYTES)
    assert "#" * MAX_BYTES == read_upstream_file(paths).text

    write(paths.upstream_file, "#" * (MAX_BYTES + 1))
    assert Source(str(paths.upstream_file), None, "it is larger than 65536 bytes") == read_upstream_file(paths)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


STRANGE: dict[str, Callable[[Path], object]] = {
    "directory": Path.mkdir,
    "FIFO": os.mkfifo,
    "socket": make_socket,
    "device": lambda path: path.symlink_to("/dev/zero"),
}


@contextmanager
def nothing_left_open() -> Iterator[None]:
    before = os.listdir("/proc/self/fd")
    yield
    assert before == os.listdir("/proc/self/fd")


@pytest.mark.parametrize("kind", ["directory", "FIFO", "socket", "device"])
def test_what_is_no_regular_file_is_refused_at_once(kind: str) -> None:
    """A FIFO would wait for a writer and /dev/zero would never end."""
    with short_directory() as root:
        paths = paths_in(root)
        paths.upstream_file.parent.mkdir(parents=True)
        STRANGE[kind](paths.upstream_file)

        with nothing_left_open():
            found = read_upstream_file(paths)

        assert Source(str(paths.upstream_file), None, "it is not a regular file") == found


@contextmanager
def short_directory() -> Iterator[Path]:
    """The name of a socket has room for 107 bytes only."""
    directory = Path(tempfile.mkdtemp())
    try:
        yield directory
    finally:
        shutil.rmtree(directory)


def test_a_file_that_fails_while_it_is_read_says_so(paths: SourcePaths) -> None:
    """/proc/self/mem is a regular file, and its first page is not there."""
    paths.upstream_file.parent.mkdir(parents=True)
    paths.upstream_file.symlink_to("/proc/self/mem")

    with nothing_left_open():
        assert "it cannot be read: Input/output error" == read_upstream_file(paths).trouble


def test_links_in_a_circle_are_trouble(paths: SourcePaths) -> None:
    paths.upstream_file.parent.mkdir(parents=True)
    paths.upstream_file.symlink_to(paths.upstream_file.name)

    assert "it cannot be read: Too many levels of symbolic links" == read_upstream_file(paths).trouble


def test_a_file_in_the_place_of_a_directory_is_trouble(paths: SourcePaths) -> None:
    write(paths.upstream_file.parent)

    assert "it cannot be read: Not a directory" == read_upstream_file(paths).trouble


def test_what_we_may_not_read_is_trouble() -> None:
    """Files, and the directory of records too; the rest is read all the same."""
    with unprivileged() as root:
        paths = paths_in(root)
        write(paths.base)
        write(paths.upstream_file)
        write(paths.resolvconf_dir / "interface/eth0")
        paths.upstream_file.chmod(0)
        (paths.resolvconf_dir / "interface").chmod(0)

        sources = read_sources(paths)

        denied = "it cannot be read: Permission denied"
        assert Source(str(paths.upstream_file), None, denied) == sources.upstream_file
        assert (Source(str(paths.resolvconf_dir / "interface"), None, denied),) == sources.records
        assert TEXT == sources.base.text
        (paths.resolvconf_dir / "interface").chmod(0o700)


def test_a_record_that_we_may_not_read_is_still_known_by_name() -> None:
    """Its being there says that dnsmasq is registered, whatever is in it."""
    with unprivileged() as root:
        paths = paths_in(root)
        write(paths.resolvconf_dir / "interface/lo.dnsmasq")
        (paths.resolvconf_dir / "interface/lo.dnsmasq").chmod(0)

        assert (Source("lo.dnsmasq", None, "it cannot be read: Permission denied"),) == records(paths)


@pytest.mark.parametrize("name", ["interface", "interfaces"])
def test_records_of_either_resolvconf_are_read_in_the_order_of_their_names(paths: SourcePaths, name: str) -> None:
    """By bytes, as run-parts and the C locale have it."""
    for record in ("wlan0", "eth0.inet", "Z", "lo.dnsmasq"):
        write(paths.resolvconf_dir / name / record, record)

    expected = tuple(Source(record, record) for record in ("Z", "eth0.inet", "lo.dnsmasq", "wlan0"))
    assert expected == records(paths)


def test_an_empty_directory_of_records_is_not_an_absent_one(paths: SourcePaths) -> None:
    """There is a resolvconf on this host; it knows nothing yet."""
    (paths.resolvconf_dir / "interface").mkdir(parents=True)

    assert () == records(paths)


def test_records_of_both_are_put_together(paths: SourcePaths) -> None:
    write(paths.resolvconf_dir / "interface/wlan0", "one")
    write(paths.resolvconf_dir / "interfaces/eth0", "two")

    assert (Source("wlan0", "one"), Source("eth0", "two")) == records(paths)


def test_what_is_no_record_is_passed_over(paths: SourcePaths) -> None:
    """Unfinished, empty, gone, or no file: resolvconf would not list these either."""
    directory = paths.resolvconf_dir / "interface"
    write(directory / "eth0")
    write(directory / "eth0_new.4711")
    write(directory / "empty", "")
    (directory / "directory").mkdir()
    (directory / "dangling").symlink_to("nowhere")
    os.mkfifo(directory / "fifo")

    assert (Source("eth0", TEXT),) == records(paths)


def test_a_name_that_only_looks_unfinished_is_a_record(paths: SourcePaths) -> None:
    directory = paths.resolvconf_dir / "interface"
    for name in ("a_new.", "b_new.1x", "c_new.1\n", "d.new.1"):
        write(directory / name)

    assert ["a_new.", "b_new.1x", "c_new.1\\n", "d.new.1"] == [record.name for record in records(paths)]


def test_a_record_that_is_a_link_is_followed(paths: SourcePaths) -> None:
    write(paths.resolvconf_dir / "elsewhere")
    (paths.resolvconf_dir / "interface").mkdir()
    (paths.resolvconf_dir / "interface/eth0").symlink_to("../elsewhere")

    assert (Source("eth0", TEXT),) == records(paths)


def test_a_record_that_is_too_large_is_trouble_under_its_name(paths: SourcePaths) -> None:
    write(paths.resolvconf_dir / "interface/eth0", "#" * (MAX_BYTES + 1))

    assert (Source("eth0", None, "it is larger than 65536 bytes"),) == records(paths)


def test_names_are_fit_for_a_log(paths: SourcePaths) -> None:
    """A record's name is anybody's bytes: a line feed must not forge a second line."""
    directory = os.fsencode(paths.resolvconf_dir / "interface")
    os.makedirs(directory)
    for name in (b"eth\xff", b"a\nb\x1b[31m", "caf\u00e9".encode(), "\u202eevil".encode(), "\U0001f300".encode()):
        with open(directory + b"/" + name, "w") as file:
            file.write(TEXT)

    expected = {"eth\\xff", "a\\nb\\x1b[31m", "caf\u00e9", "\\u202eevil", "\U0001f300"}
    assert expected == {record.name for record in records(paths)}


def test_more_records_than_anybody_has_are_cut_and_told(paths: SourcePaths) -> None:
    directory = paths.resolvconf_dir / "interface"
    for number in range(MAX_RECORDS + 2):
        write(directory / f"eth{number:04}")

    *read, refused = records(paths)

    assert [f"eth{number:04}" for number in range(MAX_RECORDS)] == [record.name for record in read]
    assert Source(str(directory), None, "it holds 1002 records; only the first 1000 are read") == refused


def test_a_file_in_the_place_of_the_records_is_trouble(paths: SourcePaths) -> None:
    write(paths.resolvconf_dir / "interface")

    expected = Source(str(paths.resolvconf_dir / "interface"), None, "it cannot be read: Not a directory")
    assert (expected,) == records(paths)


def test_records_that_come_and_go_meanwhile_are_fine(paths: SourcePaths) -> None:
    """Between the listing and the opening anything may happen; what is read was there, and whole."""
    directory = paths.resolvconf_dir / "interface"
    directory.mkdir(parents=True)
    enough = threading.Event()

    def come_and_go() -> None:
        while not enough.is_set():
            for record in ("one", "two", "three"):
                write(directory / f"{record}_new.1")
                (directory / f"{record}_new.1").rename(directory / record)
            for record in ("one", "two", "three"):
                (directory / record).unlink()

    thread = threading.Thread(target=come_and_go)
    thread.start()
    seen = {record for _ in range(500) for record in records(paths)}
    enough.set()
    thread.join()

    assert seen <= {Source(name, TEXT) for name in ("one", "two", "three")}


def attach(paths: SourcePaths, target: str | Path) -> None:
    paths.resolv_conf.parent.mkdir(parents=True, exist_ok=True)
    paths.resolv_conf.symlink_to(target)


@pytest.mark.parametrize("target", ["../run/dnsguard/resolv.conf", "..//run/./dnsguard/../dnsguard/resolv.conf", ""])
@pytest.mark.parametrize("published", [False, True])
def test_our_link_is_known_however_it_is_spelt(paths: SourcePaths, target: str, published: bool) -> None:
    """Also while the published file does not exist yet; what it says is not what somebody else says."""
    if published:
        write(paths.published)
    attach(paths, target or paths.published)

    sources = read_sources(paths)

    assert sources.attached
    assert Source(str(paths.resolv_conf)) == sources.etc


def test_our_link_is_known_through_linked_directories(paths: SourcePaths, tmp_path: Path) -> None:
    """/var/run is a link to /run; /etc itself may be one, and then `..` is not what it seems."""
    write(paths.published)
    (tmp_path / "var").mkdir()
    (tmp_path / "var/run").symlink_to("../run")
    (tmp_path / "deep/real-etc").mkdir(parents=True)
    (tmp_path / "etc").symlink_to("deep/real-etc")
    paths.resolv_conf.symlink_to("../../var/run/dnsguard/resolv.conf")

    assert TEXT == paths.resolv_conf.read_text()
    assert read_sources(paths).attached


@pytest.mark.parametrize(
    "target",
    ["../run/resolvconf/resolv.conf", "../run/dnsguard", "../run/dnsguard/other", "resolv.conf", "alias", ".."],
)
def test_any_other_link_is_not_ours(paths: SourcePaths, target: str) -> None:
    """Not even one that leads to ours by way of another, which somebody else may turn."""
    write(paths.published)
    attach(paths, target)
    (paths.resolv_conf.parent / "alias").symlink_to(paths.published)

    assert not read_sources(paths).attached


def test_a_plain_file_is_not_our_link(paths: SourcePaths) -> None:
    write(paths.resolv_conf)

    sources = read_sources(paths)

    assert not sources.attached
    assert TEXT == sources.etc.text


def test_a_link_to_somebody_elses_file_is_followed(paths: SourcePaths) -> None:
    write(paths.resolvconf_dir / "resolv.conf")
    attach(paths, "../run/resolvconf/resolv.conf")

    assert Source(str(paths.resolv_conf), TEXT) == read_sources(paths).etc


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(content=st.binary(max_size=300))
def test_any_bytes_in_any_file_can_be_read(paths: SourcePaths, content: bytes) -> None:
    """Text or trouble, never both, never an exception; and a record that is empty is none."""
    for path in watched(paths):
        write(path / "eth0" if path.parent == paths.resolvconf_dir else path, content)

    sources = read_sources(paths)

    single = (sources.interface_order, sources.head, sources.base, sources.tail, sources.upstream_file)
    for source in (*single, *sources.others, sources.etc, sources.kept, *(sources.records or ())):
        assert (source.text is None) == bool(source.trouble) == (b"\0" in content)
    assert (2 if content else 0) == len(sources.records or ())


NAMES = st.binary(max_size=40).filter(lambda name: not {0, ord("/")} & set(name)).map(lambda name: name + b"-")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(name=NAMES)
def test_any_name_of_a_record_can_be_shown(paths: SourcePaths, name: bytes) -> None:
    directory = os.fsencode(paths.resolvconf_dir / "interface")
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    with open(directory + b"/" + name, "w") as file:
        file.write(TEXT)

    (record,) = records(paths)

    assert TEXT == record.text
    assert record.name.isprintable()
    assert record.name.encode()


def test_a_file_of_ours_that_is_being_overwritten_is_read_when_it_is_full(paths: SourcePaths) -> None:
    """`cat >/etc/resolv.conf` empties it first: what would be replaced then is written to nobody."""
    write(paths.published, "")
    writer = threading.Timer(0.002, write, [paths.published])
    writer.start()
    try:
        assert TEXT == read_sources(paths).published.text
    finally:
        writer.join()


def test_a_file_of_ours_that_stays_empty_is_read_all_the_same(paths: SourcePaths) -> None:
    """After a moment: whoever emptied it means it."""
    write(paths.published, "")

    assert "" == read_sources(paths).published.text
