import asyncio
import mmap
import os
import random
import resource
import select
import selectors
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from dnsguard.edge import watcher as watcher_module
from dnsguard.edge.watcher import MAX_LINKS, SLICE_BYTES, Watcher
from tests.fakes import unprivileged

DEADLINE_S = 20.0
PROJECT = Path(__file__).parents[2]


class Ears:
    """Counts what a watcher says."""

    def __init__(self) -> None:
        self.hints = 0
        self.troubles: list[str] = []
        self._heard = asyncio.Event()

    def stir(self) -> None:
        self.hints += 1
        self._heard.set()

    async def hint(self) -> None:
        """Wait for a hint since the last call."""
        await asyncio.wait_for(self._heard.wait(), DEADLINE_S)
        self._heard.clear()

    async def after(self, act: Callable[[], object]) -> int:
        """How many hints an act brings. The kernel queues events before the act returns; the loop drains them."""
        await turns()
        before = self.hints
        act()
        await turns()
        self._heard.clear()
        return self.hints - before


async def turns(number: int = 100) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    async def come_true() -> None:
        while not condition():
            await asyncio.sleep(0.005)

    await asyncio.wait_for(come_true(), DEADLINE_S)


@asynccontextmanager
async def ears_on(*paths: Path) -> AsyncIterator[Ears]:
    ears = Ears()
    watcher = Watcher(asyncio.get_running_loop(), paths, ears.stir, ears.troubles.append)
    watcher.start()
    try:
        yield ears
        assert not watcher.polling
        assert [] == ears.troubles
    finally:
        watcher.close()


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(story)


def rename_over(path: Path, text: str = "new") -> None:
    temporary = path.parent / ".temporary"
    temporary.write_text(text)
    temporary.rename(path)


def link_over(path: Path, target: str | Path) -> None:
    temporary = path.parent / ".temporary"
    temporary.symlink_to(target)
    temporary.rename(path)


def write_through_memory(file: Path) -> None:
    """The kernel notices nothing of this until the file is closed."""
    with file.open("r+b") as opened, mmap.mmap(opened.fileno(), 0) as memory:
        memory[:3] = b"new"


def link_again(link: Path, target: str | Path) -> None:
    link.unlink()
    link.symlink_to(target)


def make_directory_of(file: Path) -> None:
    file.unlink()
    file.mkdir()


def inotify_descriptors() -> list[int]:
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{name}") == "anon_inode:inotify":
                found.append(int(name))
        except FileNotFoundError:
            pass
    return found


ACTS: dict[str, Callable[[Path], object]] = {
    "made": lambda file: (file.parent / "absent").write_text(""),
    "renamed over": rename_over,
    "written in place": lambda file: file.write_text("longer than before"),
    "written through memory": write_through_memory,
    "emptied": lambda file: os.truncate(file, 0),
    "removed": lambda file: file.unlink(),
    "moved away": lambda file: file.rename(file.parent / "elsewhere"),
    "given other rights": lambda file: file.chmod(0o600),
    "turned into a link": lambda file: link_over(file, "elsewhere"),
    "turned into a directory": make_directory_of,
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_whatever_happens_to_a_file_gives_a_hint(tmp_path: Path, act: Callable[[Path], object]) -> None:
    """And once is not enough: what happens to the file after it gives another."""
    file = tmp_path / "file"
    file.write_text("old")

    async def story() -> None:
        async with ears_on(file, tmp_path / "absent") as ears:
            assert 1 <= await ears.after(lambda: act(file))
            if not file.is_dir():
                assert 1 <= await ears.after(lambda: rename_over(file))

    run(story())


def test_a_file_whose_directories_do_not_exist_is_seen_coming(tmp_path: Path) -> None:
    """Directory by directory, as a package makes them, and the file in the end."""
    directory = tmp_path / "run" / "dnsmasq"

    async def story() -> None:
        async with ears_on(directory / "resolv.conf") as ears:
            assert 1 <= await ears.after((tmp_path / "run").mkdir)
            assert 1 <= await ears.after(directory.mkdir)
            assert 1 <= await ears.after(lambda: rename_over(directory / "resolv.conf"))

    run(story())


def test_a_whole_chain_made_at_once_is_walked_to_its_end(tmp_path: Path) -> None:
    """All was made before the loop had a turn; the end of it is watched nevertheless."""
    file = tmp_path / "a" / "b" / "c" / "file"

    async def story() -> None:
        async with ears_on(file) as ears:
            assert 1 <= await ears.after(lambda: file.parent.mkdir(parents=True))
            assert 1 <= await ears.after(lambda: file.write_text(""))

    run(story())


def test_a_directory_removed_and_made_again_is_watched_again(tmp_path: Path) -> None:
    file = tmp_path / "run" / "file"
    file.parent.mkdir()

    def make_again() -> None:
        shutil.rmtree(file.parent)
        file.parent.mkdir()

    async def story() -> None:
        async with ears_on(file) as ears:
            for _ in range(3):
                assert 1 <= await ears.after(lambda: shutil.rmtree(file.parent))
                assert 1 <= await ears.after(file.parent.mkdir)
                assert 1 <= await ears.after(make_again)
                assert 1 <= await ears.after(lambda: file.write_text(""))

    run(story())


def test_a_directory_replaced_by_rename_is_watched_in_its_new_body(tmp_path: Path) -> None:
    """And the old one, wherever it went, no longer is."""
    file = tmp_path / "run" / "file"
    new = tmp_path / "new"
    file.parent.mkdir()
    new.mkdir()

    def replace() -> None:
        file.parent.rename(tmp_path / "old")
        new.rename(file.parent)

    async def story() -> None:
        async with ears_on(file) as ears:
            assert 1 <= await ears.after(replace)
            assert 0 == await ears.after(lambda: (tmp_path / "old" / "file").write_text(""))
            assert 1 <= await ears.after(lambda: file.write_text(""))

    run(story())


def test_a_grandparent_moved_away_and_back_is_followed(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b" / "file"
    file.parent.mkdir(parents=True)

    async def story() -> None:
        async with ears_on(file) as ears:
            assert 1 <= await ears.after(lambda: (tmp_path / "a").rename(tmp_path / "z"))
            assert 0 == await ears.after(lambda: (tmp_path / "z" / "b" / "file").write_text(""))
            assert 1 <= await ears.after(lambda: (tmp_path / "z").rename(tmp_path / "a"))
            assert 1 <= await ears.after(lambda: file.write_text("new"))

    run(story())


def test_watches_that_are_no_longer_needed_are_given_back(tmp_path: Path) -> None:
    """To the kernel, which counts them by user, and out of pyinotify's own table."""
    link = tmp_path / "link"
    directories = [tmp_path / "one", tmp_path / "two"]
    link.symlink_to("one/deep/file")

    async def story() -> None:
        watcher = Watcher(asyncio.get_running_loop(), [link], lambda: None, print)
        watcher.start()
        (descriptor,) = inotify_descriptors()
        kernels = Path(f"/proc/self/fdinfo/{descriptor}")
        counts = []
        for _ in range(3):
            for directory in directories:
                (directory / "deep").mkdir(parents=True)
                await turns()
                link_over(link, directory / "deep" / "file")
                await turns()
                assert watcher._inotify is not None
                counts.append((kernels.read_text().count("inotify wd:"), len(watcher._inotify._manager.watches)))
            for directory in directories:
                shutil.rmtree(directory)
            await turns()
        watcher.close()
        assert [(counts[0][0], counts[0][0])] * 6 == counts

    run(story())


def test_a_file_in_the_place_of_a_directory_is_no_end_of_the_story(tmp_path: Path) -> None:
    file = tmp_path / "run" / "file"
    file.parent.write_text("in the way")

    async def story() -> None:
        async with ears_on(file) as ears:
            assert 1 <= await ears.after(lambda: make_directory_of(file.parent))
            assert 1 <= await ears.after(lambda: file.write_text(""))

    run(story())


@pytest.mark.parametrize("relative", [False, True])
def test_a_link_is_followed_and_left_again(tmp_path: Path, relative: bool) -> None:
    """The target is heard in its own directory; after the link is re-pointed only the new target is."""
    link = tmp_path / "etc" / "resolv.conf"
    first = tmp_path / "first" / "conf"
    second = tmp_path / "second" / "conf"
    for directory in (link.parent, first.parent, second.parent):
        directory.mkdir()

    def target(file: Path) -> Path:
        return Path("..") / "." / file.relative_to(tmp_path) if relative else file

    link.symlink_to(target(first))

    async def story() -> None:
        async with ears_on(link) as ears:
            assert 1 <= await ears.after(lambda: first.write_text(""))
            assert 0 == await ears.after(lambda: second.write_text(""))
            assert 1 <= await ears.after(lambda: link_over(link, target(second)))
            assert 0 == await ears.after(lambda: first.write_text("old news"))
            assert 1 <= await ears.after(lambda: rename_over(second))
            assert 1 <= await ears.after(lambda: link_again(link, target(first)))
            assert 1 <= await ears.after(lambda: rename_over(first))

    run(story())


def test_a_link_in_the_middle_of_the_way_is_followed(tmp_path: Path) -> None:
    """As /var/run is, which leads to /run."""
    (tmp_path / "run").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "run").symlink_to("../run")

    async def story() -> None:
        async with ears_on(tmp_path / "var" / "run" / "file") as ears:
            assert 1 <= await ears.after(lambda: (tmp_path / "run" / "file").write_text(""))
            assert 1 <= await ears.after(lambda: link_over(tmp_path / "var" / "run", "../other"))
            assert 1 <= await ears.after(lambda: (tmp_path / "other" / "file").write_text(""))

    run(story())


def test_a_dangling_link_is_watched_to_where_it_will_lead(tmp_path: Path) -> None:
    target = tmp_path / "run" / "resolvconf" / "resolv.conf"
    (tmp_path / "link").symlink_to(target)

    async def story() -> None:
        async with ears_on(tmp_path / "link") as ears:
            assert 1 <= await ears.after(lambda: target.parent.mkdir(parents=True))
            assert 1 <= await ears.after(lambda: target.write_text(""))

    run(story())


def chain(directory: Path, length: int) -> Path:
    """The first of so many links, each in a directory of its own; the last leads to `end`."""
    for number in range(length):
        (directory / str(number)).mkdir()
        target = f"../{number + 1}/link" if number + 1 < length else "../end"
        (directory / str(number) / "link").symlink_to(target)
    return directory / "0" / "link"


def test_as_many_links_as_the_kernel_follows_are_followed(tmp_path: Path) -> None:
    first = chain(tmp_path, MAX_LINKS)

    async def story() -> None:
        async with ears_on(first) as ears:
            assert 1 <= await ears.after(lambda: (tmp_path / "end").write_text(""))
            assert "" == first.read_text()
            assert 1 <= await ears.after(lambda: link_over(tmp_path / "39" / "link", "../fin"))
            assert 1 <= await ears.after(lambda: (tmp_path / "fin").write_text(""))

    run(story())


def test_a_link_too_many_ends_the_way_until_one_is_taken_out(tmp_path: Path) -> None:
    first = chain(tmp_path, MAX_LINKS + 1)

    async def story() -> None:
        async with ears_on(first) as ears:
            assert 0 == await ears.after(lambda: (tmp_path / "end").write_text(""))
            with pytest.raises(OSError, match="symbolic links"):
                first.read_text()
            assert 1 <= await ears.after(lambda: link_over(tmp_path / "5" / "link", "../7/link"))
            assert 1 <= await ears.after(lambda: (tmp_path / "end").write_text("more"))

    run(story())


def test_links_in_a_circle_are_not_followed_for_ever(tmp_path: Path) -> None:
    (tmp_path / "self").symlink_to("self")
    (tmp_path / "one").symlink_to(tmp_path / "two")
    (tmp_path / "two").symlink_to(tmp_path / "one")

    async def story() -> None:
        async with ears_on(tmp_path / "self", tmp_path / "one" / "file") as ears:
            assert 1 <= await ears.after(lambda: rename_over(tmp_path / "self"))
            assert 1 <= await ears.after(lambda: make_directory_of(tmp_path / "two"))
            assert 1 <= await ears.after(lambda: (tmp_path / "two" / "file").write_text(""))

    run(story())


def test_names_need_not_be_utf_8(tmp_path: Path) -> None:
    """Neither those on the way, nor a link's target, nor strangers beside them, which hide nothing."""
    directory = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe"))
    directory.mkdir()
    (tmp_path / "link").symlink_to(Path(os.fsdecode(b"\xff\xfe")) / "\udcff")
    stranger = tmp_path / "\udc80stranger"

    def both() -> None:
        stranger.write_text("")
        (tmp_path / "file").write_text("")

    async def story() -> None:
        async with ears_on(tmp_path / "link", directory / "x", tmp_path / "file") as ears:
            assert 1 <= await ears.after(lambda: (directory / "\udcff").write_text(""))
            assert 1 <= await ears.after(lambda: (directory / "x").write_text(""))
            assert 0 == await ears.after(lambda: stranger.write_text(""))
            assert 1 <= await ears.after(both)

    run(story())


def test_entries_of_a_directory_of_interest_count(tmp_path: Path) -> None:
    """Also when the directory is yet to come, as resolvconf's is."""
    directory = tmp_path / "resolvconf" / "interface"
    record = directory / "eth0.inet"

    def as_resolvconf_does() -> None:
        (directory / "eth0.inet_new.4711").write_text("nameserver 192.0.2.1\n")
        (directory / "eth0.inet_new.4711").rename(record)

    async def story() -> None:
        async with ears_on(directory) as ears:
            assert 1 <= await ears.after(lambda: directory.mkdir(parents=True))
            assert 1 <= await ears.after(as_resolvconf_does)
            assert 1 <= await ears.after(lambda: record.write_text(""))
            assert 1 <= await ears.after(lambda: rename_over(record))
            assert 1 <= await ears.after(lambda: record.unlink())
            assert 1 <= await ears.after(lambda: shutil.rmtree(directory))
            assert 1 <= await ears.after(directory.mkdir)
            assert 1 <= await ears.after(lambda: record.write_text(""))

    run(story())


def test_unfinished_records_give_no_hint(tmp_path: Path) -> None:
    """The rename that follows does; and only a name that resolvconf would make is taken for one."""

    async def story() -> None:
        async with ears_on(tmp_path) as ears:
            assert 0 == await ears.after(lambda: (tmp_path / "eth0_new.123").write_text(""))
            assert 1 <= await ears.after(lambda: (tmp_path / "eth0_new.").write_text(""))
            assert 1 <= await ears.after(lambda: (tmp_path / "eth0_new.1\n").write_text(""))

    run(story())


def test_what_is_below_an_entry_gives_no_hint(tmp_path: Path) -> None:
    (tmp_path / "entry").mkdir()

    async def story() -> None:
        async with ears_on(tmp_path) as ears:
            assert 0 == await ears.after(lambda: (tmp_path / "entry" / "file").write_text(""))

    run(story())


def test_neighbours_give_no_hint(tmp_path: Path) -> None:
    """All of /etc and /run passes by the watcher, for two or three names."""
    file = tmp_path / "run" / "file"
    file.parent.mkdir()
    file.write_text("")

    def stir_around() -> None:
        for directory in (tmp_path, file.parent):
            neighbour = directory / "neighbour"
            neighbour.write_text("made")
            rename_over(neighbour)
            neighbour.chmod(0o600)
            neighbour.unlink()
            neighbour.mkdir()
            (neighbour / "file").write_text("")

    async def story() -> None:
        async with ears_on(file) as ears:
            assert 0 == await ears.after(stir_around)

    run(story())


def test_writing_where_no_file_of_interest_is_does_not_even_wake_the_loop(tmp_path: Path) -> None:
    """/run is on the way to several files, and others write in it all day."""
    (tmp_path / "run").mkdir()
    busy = tmp_path / "busy"
    busy.write_text("")

    async def story() -> None:
        async with ears_on(tmp_path / "run" / "file"):
            await turns()
            busy.write_text("in place")
            assert ([], [], []) == select.select(inotify_descriptors(), [], [], 0)
            busy.chmod(0o600)
            assert [] != select.select(inotify_descriptors(), [], [], 0)[0]

    run(story())


def test_who_writes_on_in_a_file_that_was_replaced_gives_no_hint(tmp_path: Path) -> None:
    """It is no longer what anybody reads."""
    file = tmp_path / "file"

    async def story() -> None:
        with file.open("w", buffering=1) as old:
            async with ears_on(file) as ears:
                assert 1 <= await ears.after(lambda: old.write("seen\n"))
                assert 1 <= await ears.after(lambda: rename_over(file))
                assert 0 == await ears.after(lambda: old.write("unseen\n"))

    run(story())


def test_reading_gives_no_hint(tmp_path: Path) -> None:
    """Or every look would be followed by another, for ever."""
    file = tmp_path / "file"
    file.write_text("text")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "eth0").write_text("text")

    def read_all() -> None:
        assert "text" == file.read_text() == (tmp_path / "link").read_text()
        assert ["eth0"] == os.listdir(tmp_path / "records")
        assert "text" == (tmp_path / "records" / "eth0").read_text()

    async def story() -> None:
        async with ears_on(file, tmp_path / "link", tmp_path / "records") as ears:
            assert 0 == await ears.after(read_all)

    run(story())


def test_two_names_of_one_directory_are_both_heard(tmp_path: Path) -> None:
    """They share one watch: neither may take it from the other, nor narrow what it tells."""
    (tmp_path / "real").mkdir()
    (tmp_path / "alias").symlink_to("real")
    one, other = tmp_path / "real" / "one", tmp_path / "alias" / "other"
    deep = tmp_path / "real" / "deep" / "file"

    async def story() -> None:
        async with ears_on(one, other, deep) as ears:
            assert 1 <= await ears.after(lambda: one.write_text(""))
            assert 1 <= await ears.after(lambda: one.write_text("in place"))
            assert 1 <= await ears.after(lambda: other.write_text(""))
            assert 1 <= await ears.after(lambda: deep.parent.mkdir())
            assert 1 <= await ears.after(lambda: link_over(tmp_path / "alias", "nowhere"))
            assert 0 == await ears.after(lambda: (tmp_path / "real" / "other").write_text("x"))
            assert 1 <= await ears.after(lambda: one.write_text("still"))

    run(story())


def test_the_root_can_be_a_path_of_interest() -> None:
    async def story() -> None:
        async with ears_on(Path("/"), Path("/..")):
            await turns()

    run(story())


def test_a_burst_is_coalesced_and_lets_the_loop_breathe(tmp_path: Path) -> None:
    """10 000 events are at most a hint for each slice, and something else has its turn between slices."""
    names = [tmp_path / "one", tmp_path / "two"]
    events = 10_000
    # An event is 16 bytes and a name padded to 16.
    slices = events * 32 // SLICE_BYTES + 1

    async def story() -> None:
        async with ears_on(*names) as ears:
            for number in range(events // 4):
                os.mkdir(names[number % 2])
                os.mkdir(names[1 - number % 2])
                os.rmdir(names[number % 2])
                os.rmdir(names[1 - number % 2])
            waits = 0
            while ears.hints < slices - 1:
                before = ears.hints
                await asyncio.sleep(0)
                waits += 1
                assert ears.hints <= before + 1
            await turns()
            assert slices - 1 <= ears.hints <= slices + 1
            assert waits >= slices - 1
            assert 1 <= await ears.after(lambda: names[0].write_text(""))

    run(story())


def test_an_overflown_queue_is_a_hint_and_nothing_is_lost(tmp_path: Path) -> None:
    """What came after the queue was full: a file in a directory that is another one now."""
    file = tmp_path / "run" / "file"
    file.parent.mkdir()
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    neighbours = [str(tmp_path / "n"), str(tmp_path / "m")]

    async def story() -> None:
        async with ears_on(file) as ears:
            for _ in range(limit // 4 + 1):
                for neighbour in neighbours:
                    os.mkdir(neighbour)
                for neighbour in neighbours:
                    os.rmdir(neighbour)
            file.parent.rename(tmp_path / "gone")
            file.parent.mkdir()
            await ears.hint()
            await turns()
            assert 1 == ears.hints
            assert 0 == await ears.after(lambda: (tmp_path / "gone" / "file").write_text(""))
            assert 1 <= await ears.after(lambda: file.write_text(""))

    run(story())


def swap_directory(root: Path) -> None:
    (root / "a").rename(root / "old")
    (root / "new").rename(root / "a")


def swap_link(root: Path) -> None:
    link_over(root / "link", "new/b")


@pytest.mark.parametrize(
    ("path", "swap", "end"), [("a/b/file", swap_directory, "a/b"), ("link/file", swap_link, "new/b")]
)
def test_a_change_in_the_midst_of_a_walk_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, swap: Callable[[Path], None], end: str
) -> None:
    """Whichever watch of the walk it comes just before, or just after: a directory is watched, then looked into."""

    class Meddled(watcher_module._Inotify):
        moment = 0
        root = tmp_path

        def watch(self, directory: int, mask: int) -> int:
            self.tick()
            number = super().watch(directory, mask)
            self.tick()
            return number

        def tick(self) -> None:
            if Meddled.moment == 0:
                swap(Meddled.root)
            Meddled.moment -= 1

    monkeypatch.setattr(watcher_module, "_Inotify", Meddled)

    async def story(moment: int) -> None:
        root = Meddled.root = tmp_path / str(moment)
        (root / "a" / "b").mkdir(parents=True)
        (root / "new" / "b").mkdir(parents=True)
        (root / "link").symlink_to("a/b")
        Meddled.moment = moment
        async with ears_on(root / path) as ears:
            await turns()
            assert Meddled.moment < 0
            assert 1 <= await ears.after(lambda: (root / end / "file").write_text(""))

    for moment in range(2 * len(tmp_path.parts) + 4):
        run(story(moment))


@pytest.mark.parametrize("seed", range(4))
def test_the_last_hint_comes_after_the_last_change(tmp_path: Path, seed: int) -> None:
    """The watcher's whole promise: who reads at each hint has, in the end, read what is there.

    A thread turns the tree upside down while the loop runs, and stops when it likes; no change
    may fall between a walk and its watches, nor between a watch and the hint.
    """
    paths = (tmp_path / "link", tmp_path / "a" / "b" / "file", tmp_path / "records")
    chance = random.Random(seed)
    seen: list[str] = []

    def look() -> None:
        seen[:] = [content(path) for path in paths]

    async def story() -> None:
        watcher = Watcher(asyncio.get_running_loop(), paths, look, seen.append)
        watcher.start()
        look()
        for _ in range(200):
            await asyncio.to_thread(turn_upside_down, tmp_path, chance, chance.randrange(1, 12))
            await turns(10)
            assert [content(path) for path in paths] == seen
        watcher.close()

    run(story())


def content(path: Path) -> str:
    try:
        return repr(sorted(os.listdir(path))) if path.is_dir() else path.read_text()
    except OSError as error:
        return str(error.errno)


def turn_upside_down(root: Path, chance: random.Random, steps: int) -> None:
    places = [root / "a", root / "a" / "b", root / "c", root / "c" / "b", root / "records"]
    for step in range(steps):
        try:
            turn(root, chance.choice(places), chance.choice(places), chance.randrange(10), str(step))
        except OSError:
            (root / ".temporary").unlink(missing_ok=True)


def turn(root: Path, place: Path, other: Path, act: int, text: str) -> None:
    match act:
        case 0:
            shutil.rmtree(place)
        case 1 | 2 | 3:
            place.mkdir(parents=True)
        case 4:
            place.rename(other)
        case 5:
            rename_over(place / "file", text)
        case 6:
            (place / "file").write_text(text)
        case 7:
            link_over(root / "link", place / "file")
        case 8:
            link_over(place / "file", other / "file")
        case 9:
            (place / "file").unlink()


def test_idle_costs_nothing(tmp_path: Path) -> None:
    """The loop sleeps without a deadline until there is something to hear."""
    file = tmp_path / "file"

    class Selector(selectors.DefaultSelector):
        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            if timeout is None:
                file.write_text("only now")
            return super().select(timeout)

    async def story() -> None:
        async with ears_on(file) as ears:
            await ears._heard.wait()
            assert 1 == ears.hints

    loop = asyncio.SelectorEventLoop(Selector())
    loop.run_until_complete(story())
    loop.close()


def test_the_descriptor_is_ours_alone_and_given_back(tmp_path: Path) -> None:
    """A child does not inherit it, an empty queue does not block; closing twice closes no stranger's."""

    async def story() -> None:
        before = os.listdir("/proc/self/fd")
        watcher = Watcher(asyncio.get_running_loop(), [tmp_path / "file", tmp_path], lambda: None, print)
        watcher.close()
        watcher.start()
        (descriptor,) = inotify_descriptors()
        assert not os.get_inheritable(descriptor)
        assert not os.get_blocking(descriptor)
        assert len(before) + 1 == len(os.listdir("/proc/self/fd"))
        watcher.close()
        stranger = os.open("/dev/null", os.O_RDONLY)
        watcher.close()
        os.close(stranger)
        assert before == os.listdir("/proc/self/fd")

    run(story())


def test_a_wake_up_for_nothing_does_not_block(tmp_path: Path) -> None:
    """The queue may be empty when its reader is called: somebody else had the turn before."""
    file = tmp_path / "file"

    async def story() -> None:
        async with ears_on(file) as ears:
            file.write_text("")
            (descriptor,) = inotify_descriptors()
            # The event is ready in the same turn in which this callback takes it away.
            asyncio.get_running_loop().call_soon(os.read, descriptor, 4096)
            await turns()
            assert 0 == ears.hints
            key = asyncio.get_running_loop()._selector.get_key(descriptor)  # type: ignore[attr-defined]
            key.data[0]._run()
            assert 0 == ears.hints

    run(story())


def test_nothing_is_said_after_close(tmp_path: Path) -> None:
    async def story() -> None:
        ears = Ears()
        watcher = Watcher(asyncio.get_running_loop(), [tmp_path / "file"], ears.stir, ears.troubles.append)
        watcher.start()
        (tmp_path / "file").write_text("")
        watcher.close()
        await turns()
        assert 0 == ears.hints

    run(story())


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    """Whoever opens anything meanwhile gets EMFILE, really."""
    lowest = os.dup(0)
    os.close(lowest)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def impatient(ears: Ears, *paths: Path) -> Watcher:
    loop = asyncio.get_running_loop()
    return Watcher(loop, paths, ears.stir, ears.troubles.append, poll_every_s=0.01, retry_every_s=0.05)


def test_without_a_descriptor_it_polls_until_there_is_one(tmp_path: Path) -> None:
    """The trouble is told once, not with each try; then it hears again."""

    async def story() -> None:
        ears = Ears()
        watcher = impatient(ears, tmp_path / "file")
        with no_descriptor_left():
            watcher.start()
            assert watcher.polling
            await until(lambda: ears.hints > 20)
            assert watcher.polling
        assert 1 == len(ears.troubles)
        assert "EMFILE" in ears.troubles[0]
        await until(lambda: not watcher.polling)
        assert 1 <= await ears.after(lambda: (tmp_path / "file").write_text(""))
        watcher.close()
        assert [] == inotify_descriptors()

    run(story())


def test_descriptors_that_run_out_later_make_it_poll(tmp_path: Path) -> None:
    """A walk needs one for a moment; until it has it, changes are supposed. A second time is told again."""
    file = tmp_path / "file"

    async def story() -> None:
        ears = Ears()
        watcher = impatient(ears, file)
        watcher.start()
        assert not watcher.polling
        for time in (1, 2):
            file.mkdir()
            with no_descriptor_left():
                await until(lambda: watcher.polling)
            assert time == len(ears.troubles)
            assert "cannot be watched: Too many open files" in ears.troubles[-1]
            assert str(file) in ears.troubles[-1]
            await until(lambda: not watcher.polling)
            assert 1 <= await ears.after(file.rmdir)
        watcher.close()

    run(story())


def test_closing_ends_the_polling(tmp_path: Path) -> None:
    async def story() -> None:
        ears = Ears()
        watcher = impatient(ears, tmp_path / "file")
        with no_descriptor_left():
            watcher.start()
        watcher.close()
        assert not watcher.polling
        # Any poll that was still to come would come before this.
        await asyncio.sleep(0.05)
        assert 0 == ears.hints

    run(story())


def test_a_loop_that_cannot_wait_for_one_more_is_no_inotify_either(tmp_path: Path) -> None:
    """epoll has a limit of its own (fs.epoll.max_user_watches)."""

    class Full(asyncio.SelectorEventLoop):
        full = True

        def add_reader(self, *arguments: Any) -> None:  # type: ignore[override]
            if self.full:
                raise OSError(28, "No space left on device")
            super().add_reader(*arguments)

    loop = Full()

    async def story() -> None:
        ears = Ears()
        watcher = impatient(ears, tmp_path / "file")
        watcher.start()
        assert ["inotify cannot be had: [Errno 28] No space left on device"] == ears.troubles
        assert [] == inotify_descriptors()
        loop.full = False
        await until(lambda: not watcher.polling)
        assert 1 <= await ears.after(lambda: (tmp_path / "file").write_text(""))
        watcher.close()

    loop.run_until_complete(story())
    loop.close()


LIMITED = """
import asyncio, pathlib, sys
from dnsguard.edge.watcher import Watcher
from tests.edge.test_watcher import Ears, impatient, until

async def story(limit, low, word, file):
    high = limit.read_text()
    limit.write_text(low)
    ears = Ears()
    watcher = impatient(ears, file)
    watcher.start()
    assert watcher.polling
    await until(lambda: ears.hints > 20)
    assert 1 == len(ears.troubles), ears.troubles
    assert word in ears.troubles[0], ears.troubles
    limit.write_text(high)
    await until(lambda: not watcher.polling)
    assert 1 <= await ears.after(lambda: file.write_text("")) <= 2
    watcher.close()

asyncio.run(story(pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3], pathlib.Path(sys.argv[4])))
"""


@pytest.mark.parametrize(
    ("limit", "low", "word"),
    [
        ("max_inotify_instances", "0", "EMFILE"),
        ("max_inotify_watches", "0", "ENOSPC"),
        ("max_inotify_watches", "2", "ENOSPC"),
    ],
)
def test_the_kernels_own_limits_make_it_poll(tmp_path: Path, limit: str, low: str, word: str) -> None:
    """For real: a user namespace has limits of its own, which do not concern this machine."""
    inside = ["unshare", "--user", "--map-root-user"]
    if shutil.which("unshare") is None or subprocess.run([*inside, "true"], check=False).returncode:
        pytest.skip("no user namespaces here")
    story = [sys.executable, "-W", "error", "-c", LIMITED]
    arguments = [f"/proc/sys/user/{limit}", low, word, str(tmp_path / "file")]

    subprocess.run([*inside, *story, *arguments], check=True, cwd=PROJECT, timeout=60)


UNMOUNTED = """
import asyncio, pathlib, subprocess, sys
from tests.edge.test_watcher import ears_on

async def story(directory):
    mount = ["mount", "-t", "tmpfs", "tmpfs", str(directory)]
    subprocess.run(mount, check=True)
    async with ears_on(directory / "file") as ears:
        assert 1 <= await ears.after(lambda: (directory / "file").write_text(""))
        assert 1 <= await ears.after(lambda: subprocess.run(["umount", str(directory)], check=True))
        assert 1 <= await ears.after(lambda: (directory / "file").write_text(""))

asyncio.run(story(pathlib.Path(sys.argv[1])))
"""


def test_a_file_system_that_goes_uncovers_the_directory_below(tmp_path: Path) -> None:
    """There is no event with a name for this, only the end of a watch."""
    inside = ["unshare", "--user", "--map-root-user", "--mount"]
    if shutil.which("unshare") is None or subprocess.run([*inside, "true"], check=False).returncode:
        pytest.skip("no mount namespaces here")
    story = [sys.executable, "-W", "error", "-c", UNMOUNTED, str(tmp_path)]

    subprocess.run([*inside, *story], check=True, cwd=PROJECT, timeout=60)


def test_a_directory_closed_to_us_is_told_and_polled_until_it_opens() -> None:
    """What may not be listed may not be watched; a file of a known name in it can be read all the same."""

    async def story(directory: Path) -> None:
        closed = directory / "closed"
        closed.mkdir(mode=0o311)
        (closed / "file").write_text("text")
        ears = Ears()
        watcher = impatient(ears, closed / "file", directory / "open")
        watcher.start()
        assert watcher.polling
        assert [f"{closed}/file cannot be watched: Permission denied (EACCES)"] == ears.troubles
        assert "text" == (closed / "file").read_text()
        closed.chmod(0o755)
        await turns()
        assert not watcher.polling
        assert 1 <= await ears.after(lambda: rename_over(closed / "file"))
        watcher.close()

    with unprivileged() as directory:
        run(story(directory))


def test_a_directory_that_may_not_be_entered_is_entered_when_it_may() -> None:
    """Until then its files are no more to us than absent ones, and nothing is wrong."""

    async def story(directory: Path) -> None:
        closed = directory / "closed"
        (closed / "deep").mkdir(parents=True)
        closed.chmod(0o644)
        async with ears_on(closed / "deep" / "file") as ears:
            assert 1 <= await ears.after(lambda: closed.chmod(0o755))
            assert 1 <= await ears.after(lambda: (closed / "deep" / "file").write_text(""))

    with unprivileged() as directory:
        run(story(directory))


IMPORTED = """
import logging, sys, types
if sys.argv[1:]:
    sys.modules["asyncore"] = types.ModuleType("asyncore")
    sys.modules["asyncore"].file_dispatcher = type("theirs", (), {})
import dnsguard.edge.watcher
assert bool(sys.argv[1:]) == ("asyncore" in sys.modules)
assert [] == logging.getLogger("pyinotify").handlers
assert not logging.getLogger("pyinotify").isEnabledFor(logging.ERROR)
"""


@pytest.mark.parametrize("arguments", [[], ["loaded before"]])
def test_asyncore_is_neither_needed_nor_left_behind(arguments: list[str]) -> None:
    """Python 3.12 has none, 3.11 warns of it; who has loaded one keeps it. And pyinotify's logger is silent."""
    command = [sys.executable, "-W", "error", "-c", IMPORTED, *arguments]

    subprocess.run(command, check=True, cwd=PROJECT, timeout=60)
