"""The publisher's contract, in three worlds: a plain directory, a symlink, a place that refuses."""

import errno
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dnsguard.core.actions import Publish
from dnsguard.core.events import Published, PublishFailed
from dnsguard.core.resolvconf import ResolvConf
from dnsguard.core.vocabulary import Kind
from dnsguard.edge.publisher import MAX_KEPT_BYTES, keep_aside, publish, replace_file
from tests.fakes import ROOT, in_private_mounts

OLD = b"nameserver 192.0.2.1\n"
NEW = b"nameserver 192.0.2.2\nsearch example.test\n"
ASKED = Publish(Kind.DIRECT, 7, ResolvConf(nameservers=("192.0.2.2",)))


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def a_dead_pid() -> int:
    with subprocess.Popen(["true"]) as child:
        child.wait()
    return child.pid


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def files_no_longer_than(max_bytes: int) -> Iterator[None]:
    """A disk that fills up while a file is being written, for root too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    was = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (max_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, was)


# --- a plain directory -----------------------------------------------------------------------------


@pytest.mark.parametrize("durable", [False, True])
def test_a_new_file_has_the_bytes_and_the_mode(tmp_path: Path, durable: bool) -> None:
    """Nothing was there: the file is made, and nothing else is left beside it."""
    path = tmp_path / "resolv.conf"

    assert replace_file(path, NEW, durable=durable) is True
    assert NEW == path.read_bytes()
    assert 0o644 == mode_of(path)
    assert ["resolv.conf"] == os.listdir(tmp_path)


def test_an_old_file_is_replaced_and_not_written_into(tmp_path: Path) -> None:
    """A reader that has the old file open keeps the old file, whole."""
    path = tmp_path / "resolv.conf"
    path.write_bytes(OLD)
    with path.open("rb") as reader:
        assert replace_file(path, NEW) is True
        assert OLD == reader.read()
    assert NEW == path.read_bytes()


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o777])
def test_the_mode_is_what_was_asked_for_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    """A tight umask must not give the host a resolv.conf that only root can read."""
    path = tmp_path / "resolv.conf"

    with umask(mask):
        replace_file(path, NEW, mode=0o640)

    assert 0o640 == mode_of(path)


@pytest.mark.parametrize("durable", [False, True])
def test_the_same_file_is_not_written_again(tmp_path: Path, durable: bool) -> None:
    """Who watches the file hears nothing, and the inode stays, if nothing would change."""
    path = tmp_path / "resolv.conf"
    replace_file(path, NEW)
    before = path.stat()

    assert replace_file(path, NEW, durable=durable) is False
    assert (before.st_ino, before.st_mtime_ns) == (path.stat().st_ino, path.stat().st_mtime_ns)


@pytest.mark.parametrize("there", [b"", OLD, NEW[:-1], NEW + b"\n", NEW[:-1] + b" "])
def test_any_other_bytes_are_replaced(tmp_path: Path, there: bytes) -> None:
    """Shorter, longer, or one byte off: all of them are another file."""
    path = tmp_path / "resolv.conf"
    path.write_bytes(there)

    assert replace_file(path, NEW) is True
    assert NEW == path.read_bytes()


def test_another_mode_is_another_file(tmp_path: Path) -> None:
    """The same bytes that only root can read are no use to libc."""
    path = tmp_path / "resolv.conf"
    replace_file(path, NEW, mode=0o600)

    assert replace_file(path, NEW) is True
    assert 0o644 == mode_of(path)


def test_an_empty_file_can_be_asked_for(tmp_path: Path) -> None:
    """The publisher does not decide what is worth writing."""
    path = tmp_path / "resolv.conf"
    path.write_bytes(OLD)

    assert replace_file(path, b"") is True
    assert b"" == path.read_bytes()


def test_a_fifo_with_the_name_is_replaced_and_never_waited_for(tmp_path: Path) -> None:
    """Opening a FIFO would block until somebody writes; nobody does."""
    path = tmp_path / "resolv.conf"
    os.mkfifo(path, 0o644)

    assert replace_file(path, b"") is True
    assert stat.S_ISREG(path.lstat().st_mode)


def test_a_directory_with_the_name_is_refused(tmp_path: Path) -> None:
    """It is somebody's; it stays, with all that is in it."""
    path = tmp_path / "resolv.conf"
    (path / "inside").mkdir(parents=True)

    with pytest.raises(OSError, match="directory"):
        replace_file(path, NEW)

    assert ["inside"] == os.listdir(path)
    assert ["resolv.conf"] == os.listdir(tmp_path)


# --- a symlink -------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["elsewhere", "missing", "resolv.conf"])
def test_a_symlink_is_replaced_itself(tmp_path: Path, target: str) -> None:
    """What it leads to, nothing, or itself: a link must not lead our write to somebody's file."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(OLD)
    path = tmp_path / "resolv.conf"
    path.symlink_to(target)

    assert replace_file(path, NEW) is True
    assert not path.is_symlink()
    assert NEW == path.read_bytes()
    assert OLD == elsewhere.read_bytes()


def test_a_symlink_to_the_same_bytes_is_replaced_too(tmp_path: Path) -> None:
    """Equal through a link is not equal: the link can be turned by whoever owns it."""
    (tmp_path / "elsewhere").write_bytes(NEW)
    path = tmp_path / "resolv.conf"
    path.symlink_to("elsewhere")

    assert replace_file(path, NEW) is True
    assert not path.is_symlink()


@pytest.mark.parametrize("durable", [False, True])
def test_a_symlink_can_be_asked_for(tmp_path: Path, durable: bool) -> None:
    """The swing of /etc/resolv.conf is the same rename; the target is taken as it is, not resolved."""
    path = tmp_path / "resolv.conf"
    path.write_bytes(OLD)

    assert replace_file(path, b"", durable=durable, link_to="../run//resolv.conf") is True
    assert "../run//resolv.conf" == os.readlink(path)
    assert replace_file(path, b"", durable=durable, link_to="../run//resolv.conf") is False
    assert replace_file(path, b"", durable=durable, link_to="../run/resolv.conf") is True
    assert ["resolv.conf"] == os.listdir(tmp_path)


def test_a_symlink_that_cannot_be_made_is_told_by_its_own_name(tmp_path: Path) -> None:
    """Python's error would name the target, which is not what failed."""
    with pytest.raises(FileNotFoundError) as caught:
        replace_file(tmp_path / "missing" / "resolv.conf", b"", link_to="/run/target")

    assert f"{tmp_path}/missing/.resolv.conf.new.{os.getpid()}" == caught.value.filename


# --- a place that refuses --------------------------------------------------------------------------


def test_a_full_disk_leaves_the_old_file_and_no_rest(tmp_path: Path) -> None:
    """The first write is short, the second is refused: nothing of it may stay."""
    path = tmp_path / "resolv.conf"
    path.write_bytes(OLD)

    with files_no_longer_than(10), pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
        replace_file(path, NEW)

    assert OLD == path.read_bytes()
    assert ["resolv.conf"] == os.listdir(tmp_path)


def test_a_file_that_is_not_there_yet_is_not_left_half(tmp_path: Path) -> None:
    """Without an old file there is none after a failure either."""
    with files_no_longer_than(10), pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
        replace_file(tmp_path / "resolv.conf", NEW)

    assert [] == os.listdir(tmp_path)


def test_full_and_read_only_file_systems_are_answers_not_exceptions(tmp_path: Path) -> None:
    """A tmpfs of one page that is full, and one mounted read-only; chmod would not stop root."""
    said = in_private_mounts(
        """
import os, subprocess, sys
from pathlib import Path
from dnsguard.core.actions import Publish
from dnsguard.core.resolvconf import ResolvConf
from dnsguard.core.vocabulary import Kind
from dnsguard.edge.publisher import publish

place = Path(sys.argv[1])
path = place / "resolv.conf"
asked = Publish(Kind.GUARDED, 3, ResolvConf())

def show(answer):
    print(type(answer).__name__, answer.generation, getattr(answer, "reason", ""))
    print(path.read_text().strip(), sorted(os.listdir(place)))

subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", place], check=True)
show(publish(path, asked, "nameserver 192.0.2.1\\n"))
show(publish(path, asked, "#" * 100_000))
subprocess.run(["mount", "-o", "remount,bind,ro", place], check=True)
show(publish(path, asked, "nameserver 192.0.2.2\\n"))
show(publish(path, asked, "nameserver 192.0.2.1\\n"))
""",
        tmp_path,
    )

    published, there, full, still, read_only, yet, same, end = said.splitlines()
    assert "Published 3 " == published
    assert full.startswith(f"PublishFailed 3 {tmp_path}/resolv.conf could not be replaced: ")
    assert "(ENOSPC); what was there stays; next: free some space there" in full
    assert "(EROFS); what was there stays; next: mount it writable" in read_only
    assert "Published 3 " == same
    assert ["nameserver 192.0.2.1 ['.resolv.conf.spare', 'resolv.conf']"] * 4 == [there, still, yet, end]


def test_a_full_file_system_takes_one_more_file_and_another_once_there_is_room(tmp_path: Path) -> None:
    """The flip away from a dead dnsmasq must not fail because somebody has filled /run."""
    said = in_private_mounts(
        """
import os, subprocess, sys
from pathlib import Path
from dnsguard.core.actions import Publish
from dnsguard.core.resolvconf import ResolvConf
from dnsguard.core.vocabulary import Kind
from dnsguard.edge.publisher import publish

place = Path(sys.argv[1])
path = place / "resolv.conf"
asked = Publish(Kind.GUARDED, 3, ResolvConf())

def fill():
    with open(place / "filler", "ab", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(4096))
        except OSError:
            pass

def show(text):
    print(type(publish(path, asked, text)).__name__, path.read_text().strip(), oct(path.stat().st_mode))

subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", place], check=True)
show("nameserver 192.0.2.1\\n")
fill()
show("nameserver 192.0.2.2\\n")
fill()
show("#" * 5000)
os.unlink(place / "filler")
show("nameserver 192.0.2.3\\n")
fill()
show("nameserver 192.0.2.4\\n")
""",
        tmp_path,
    )

    published = [f"Published nameserver 192.0.2.{number} 0o100644" for number in (1, 2, 3, 4)]
    refused = "PublishFailed nameserver 192.0.2.2 0o100644"
    assert [*published[:2], refused, *published[2:]] == said.splitlines()


# --- publish ---------------------------------------------------------------------------------------


def test_publishing_answers_with_the_kind_and_the_generation(tmp_path: Path) -> None:
    """The core must be able to tell this answer from an older one."""
    path = tmp_path / "resolv.conf"

    assert Published(Kind.DIRECT, 7) == publish(path, ASKED, "nameserver 192.0.2.2\n")
    assert b"nameserver 192.0.2.2\n" == path.read_bytes()


def test_publishing_the_same_again_is_a_success(tmp_path: Path) -> None:
    """libc sees the file that was asked for; that it saw it before is no failure."""
    path = tmp_path / "resolv.conf"
    publish(path, ASKED, "nameserver 192.0.2.2\n")

    assert Published(Kind.DIRECT, 7) == publish(path, ASKED, "nameserver 192.0.2.2\n")


def test_bytes_that_are_no_utf8_go_out_as_they_came_in(tmp_path: Path) -> None:
    """A search domain in Latin-1 is read with surrogateescape and must not break the write."""
    path = tmp_path / "resolv.conf"
    text = b"search caf\xe9.test\n".decode("utf-8", "surrogateescape")

    publish(path, ASKED, text)

    assert b"search caf\xe9.test\n" == path.read_bytes()


@pytest.mark.parametrize(
    ("prepare", "name", "step"),
    [
        (lambda _: None, "ENOENT", "make the directory"),
        (lambda place: place.write_bytes(b""), "ENOTDIR", "make the directory"),
        (lambda place: place.symlink_to(place.name), "ELOOP", "symlinks on the way"),
        (lambda place: (place / "resolv.conf").mkdir(parents=True), "EISDIR", "remove the directory"),
        (
            lambda place: (place / f".resolv.conf.new.{os.getpid()}").mkdir(parents=True),
            "EEXIST",
            "temporary file's name",
        ),
    ],
)
def test_a_failure_is_told_with_path_reason_and_next_step(
    tmp_path: Path, prepare: Callable[[Path], None], name: str, step: str
) -> None:
    """The operator reads this line in the journal, at three in the morning."""
    place = tmp_path / "run"
    prepare(place)

    answer = publish(place / "resolv.conf", ASKED, "nameserver 192.0.2.2\n")

    assert isinstance(answer, PublishFailed)
    assert (Kind.DIRECT, 7) == (answer.kind, answer.generation)
    assert str(place / "resolv.conf") in answer.reason
    assert f"({name})" in answer.reason
    assert step in answer.reason


def test_an_errno_nobody_thought_of_still_gives_a_reason(tmp_path: Path) -> None:
    """A name that is too long has no advice of its own."""
    answer = publish(tmp_path / ("x" * 250), ASKED, "nameserver 192.0.2.2\n")

    assert isinstance(answer, PublishFailed)
    assert "(ENAMETOOLONG); what was there stays; next: see the kernel's log" in answer.reason


# --- leftovers of the killed -----------------------------------------------------------------------


def test_a_killed_predecessors_leftovers_are_removed(tmp_path: Path) -> None:
    """SIGKILL between open and rename leaves a file; a daemon in a crash loop must not fill /run."""
    for pid in (a_dead_pid(), os.getpid()):
        (tmp_path / f".resolv.conf.new.{pid}").write_bytes(b"half")

    replace_file(tmp_path / "resolv.conf", NEW)

    assert ["resolv.conf"] == os.listdir(tmp_path)


def test_a_living_writers_file_is_left_alone(tmp_path: Path) -> None:
    """`dnsguard attach` may be writing the same file at this moment, as another user."""
    theirs = tmp_path / f".resolv.conf.new.{os.getppid()}"
    theirs.write_bytes(b"half")
    of_pid_1 = tmp_path / ".resolv.conf.new.1"
    of_pid_1.write_bytes(b"half")

    replace_file(tmp_path / "resolv.conf", NEW)

    assert {"resolv.conf", theirs.name, of_pid_1.name} == set(os.listdir(tmp_path))


def test_names_that_are_not_ours_are_left_alone(tmp_path: Path) -> None:
    """Another file's leftovers, and names that only look like ours."""
    dead = a_dead_pid()
    names = {
        f".other.new.{dead}",
        f"resolv.conf.new.{dead}",
        ".resolv.conf.new.",
        ".resolv.conf.new.x",
        ".resolv.conf.new.-1",
        ".resolv.conf.new.²",
        ".resolv.conf.new.99999999999999999999999",
    }
    for name in names:
        (tmp_path / name).write_bytes(b"")

    replace_file(tmp_path / "resolv.conf", NEW)

    assert names | {"resolv.conf"} == set(os.listdir(tmp_path))


def test_a_writer_of_another_user_counts_as_living(tmp_path: Path) -> None:
    """The daemon may not signal root's `attach`; being refused is proof of life."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    os.chmod(tmp_path, 0o777)
    theirs = tmp_path / f".resolv.conf.new.{os.getpid()}"
    theirs.write_bytes(b"half")
    script = "import sys, os; from pathlib import Path; from dnsguard.edge.publisher import replace_file\n"
    script += "os.chdir(sys.argv[1]); os.setuid(65534); replace_file(Path('resolv.conf'), b'x')"

    subprocess.run([sys.executable, "-c", script, tmp_path], check=True, env={"PYTHONPATH": ROOT})

    assert {"resolv.conf", theirs.name} == set(os.listdir(tmp_path))


def test_a_writer_killed_at_any_step_leaves_the_old_file_or_the_new(tmp_path: Path) -> None:
    """Promise 2, for SIGKILL: whole before, whole after, and the next writer cleans up."""
    for step in range(1, 20):
        place = tmp_path / str(step)
        place.mkdir()
        path = place / "resolv.conf"
        path.write_bytes(OLD)
        finished = killed_at(step, path)

        assert path.read_bytes() in (OLD, NEW)
        replace_file(path, NEW)
        assert ["resolv.conf"] == os.listdir(place)
        if finished:
            return
    pytest.fail("the writer has more steps than this test thought of")


def killed_at(step: int, path: Path) -> bool:
    """Replace the file in a child that kills itself before its n-th system call that Python tells of."""
    child = os.fork()
    if child == 0:
        count = 0

        def hook(event: str, _: tuple[object, ...]) -> None:
            nonlocal count
            if event == "open" or event.startswith("os."):
                count += 1
                if count == step:
                    os.abort()

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(signal.SIGABRT, signal.SIG_DFL)
        sys.addaudithook(hook)
        replace_file(path, NEW, durable=True)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# --- readers ---------------------------------------------------------------------------------------


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    """Promise 2: 500 flips between a short and a long file, and a reader that never stops."""
    path = tmp_path / "resolv.conf"
    files = (OLD, b"# long\n" * 5000 + NEW)
    replace_file(path, files[0])
    done = threading.Event()
    seen: set[bytes | str] = set()

    def read() -> None:
        while not done.is_set():
            try:
                seen.add(path.read_bytes())
            except OSError as error:
                seen.add(f"{error}")

    reader = threading.Thread(target=read)
    reader.start()
    for turn in range(1, 501):
        replace_file(path, files[turn % 2])
    done.set()
    reader.join()

    assert seen <= set(files)
    assert ["resolv.conf"] == os.listdir(tmp_path)


# --- what another program wrote ------------------------------------------------------------------


def test_a_file_is_kept_aside_as_it_is(tmp_path: Path) -> None:
    there, aside = tmp_path / "resolv.conf", tmp_path / "newcomer.conf"
    there.write_bytes(b"nameserver 192.0.2.7\n\xff")
    there.chmod(0o600)
    keep_aside(there, aside)

    assert b"nameserver 192.0.2.7\n\xff" == aside.read_bytes() == there.read_bytes()
    assert 0o644 == mode_of(aside)


@pytest.mark.parametrize("make", [lambda _: None, Path.mkdir, lambda path: path.symlink_to("/etc/passwd"), os.mkfifo])
def test_what_cannot_be_kept_leaves_what_was_kept(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """A symlink could lead to a secret, a FIFO nowhere."""
    there, aside = tmp_path / "resolv.conf", tmp_path / "newcomer.conf"
    aside.write_text("before")
    make(there)
    keep_aside(there, aside)

    assert "before" == aside.read_text()


def test_what_is_too_long_is_not_kept(tmp_path: Path) -> None:
    there, aside = tmp_path / "resolv.conf", tmp_path / "newcomer.conf"
    there.write_bytes(b"#" * (MAX_KEPT_BYTES + 1))
    keep_aside(there, aside)

    assert not aside.exists()
