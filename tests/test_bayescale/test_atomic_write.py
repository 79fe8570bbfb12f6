"""The one writer: whole or not at all, wherever the target points, whatever goes wrong."""

import errno
import os
import resource
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bayescale.atomic_write import CURES, require_writable, write_whole
from bayescale.errors import OutputError

OLD, NEW = b"what was there before", b"new " * 50_000


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "out.nc"
    path.write_bytes(OLD)
    return path


def alone(path: Path, content: bytes) -> None:
    """Nothing but the file is in its folder, with this content."""
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    assert path.read_bytes() == content


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_is_made_with_the_mode_that_any_new_file_has(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"")
    path = write_whole(tmp_path / "out.nc", NEW)
    assert path.read_bytes() == NEW
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o755])
def test_a_file_that_is_replaced_keeps_its_mode(target: Path, mode: int) -> None:
    target.chmod(mode)
    write_whole(target, NEW)
    assert stat.S_IMODE(target.stat().st_mode) == mode
    alone(target, NEW)


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path: Path, exists: bool) -> None:
    there = tmp_path / "there"
    there.mkdir()
    final = there / "final.nc"
    if exists:
        final.write_bytes(OLD)
    link = tmp_path / "link.nc"
    link.symlink_to("there/final.nc")
    write_whole(link, NEW)
    assert link.is_symlink()
    alone(final, NEW)


def test_links_that_form_a_circle_get_their_sentence(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OutputError, match="links form a circle"):
        write_whole(tmp_path / "a", NEW)
    assert (tmp_path / "a").is_symlink()


def test_a_pipe_is_written_through_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(pipe.read_bytes()))
    reader.start()
    write_whole(pipe, NEW)
    reader.join()
    assert found == [NEW]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_pipe_whose_reader_leaves_gets_its_sentence(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def leave() -> None:
        with pipe.open("rb") as stream:
            stream.read(1)

    reader = threading.Thread(target=leave)
    reader.start()
    with pytest.raises(OutputError, match="nobody reads from it"):
        write_whole(pipe, NEW * 10)
    reader.join()


def fake_status(monkeypatch: pytest.MonkeyPatch, path: Path, kind: int) -> None:
    """Make a file look like a device, so that no test writes to one."""
    real = Path.stat

    def told(self: Path, **options: bool) -> os.stat_result:
        found = real(self, **options)
        if self != path:
            return found
        return os.stat_result((kind | 0o666, *tuple(found)[1:]))

    monkeypatch.setattr(Path, "stat", told)


def test_a_character_device_is_written_through(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = target.stat().st_ino
    fake_status(monkeypatch, target, stat.S_IFCHR)
    write_whole(target, NEW)
    monkeypatch.undo()
    assert target.stat().st_ino == before  # it was not replaced
    alone(target, NEW)


def test_a_full_device_gets_its_sentence_and_stays(tmp_path: Path) -> None:
    before = os.stat("/dev/full")
    (tmp_path / "full").symlink_to("/dev/full")
    with pytest.raises(OutputError, match="its disk is full"):
        write_whole(tmp_path / "full", NEW)
    assert os.path.samestat(before, os.stat("/dev/full"))
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


def test_a_block_device_and_a_socket_are_refused(
    target: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        place = tmp_path_factory.mktemp("s") / "s"
        one.bind(str(place))
        with pytest.raises(OutputError, match="it is a socket; name a file"):
            write_whole(place, NEW)
        assert stat.S_ISSOCK(place.stat().st_mode)
    fake_status(monkeypatch, target, stat.S_IFBLK)
    with pytest.raises(OutputError, match="it is a block device; name a file"):
        write_whole(target, NEW)
    monkeypatch.undo()
    alone(target, OLD)


def test_a_file_to_which_the_standard_output_goes_is_refused(tmp_path: Path) -> None:
    program = "import sys; from bayescale.atomic_write import write_whole; write_whole('o', b'new')"
    with (tmp_path / "o").open("wb") as stream:
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            stdout=stream,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
    assert "the standard output or error goes there already" in done.stderr
    alone(tmp_path / "o", b"")


@pytest.mark.parametrize("number", sorted(CURES))
@pytest.mark.parametrize("call", ["write", "fsync"])
def test_an_error_of_the_disk_is_a_sentence_and_the_old_file_stays(
    target: Path, monkeypatch: pytest.MonkeyPatch, number: int, call: str
) -> None:
    def fail(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OutputError) as caught:
        write_whole(target, NEW)
    monkeypatch.undo()
    assert str(caught.value) == f"'{target}' cannot be written: {CURES[number]}."
    alone(target, OLD)


def test_an_error_without_a_cure_says_what_the_system_says(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "write", fail)
    with pytest.raises(OutputError, match=os.strerror(errno.EIO)):
        write_whole(target, NEW)


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_a_file_system_that_cannot_synchronise_is_written_to(
    target: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    write_whole(target, NEW)
    alone(target, NEW)


def test_short_writes_are_gone_on_with(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda number, content: real(number, content[:1000]))
    write_whole(target, NEW)
    alone(target, NEW)


@pytest.mark.parametrize("size", [0, 1, 4096, len(NEW) - 1])
def test_a_limit_on_the_size_of_a_file_is_a_sentence(target: Path, size: int) -> None:
    with largest_file(size), pytest.raises(OutputError, match="limit on the size of a file"):
        write_whole(target, NEW)
    alone(target, OLD)


def test_a_folder_that_is_missing_or_no_folder_gets_its_sentence(target: Path) -> None:
    for path, sentence in (
        (target.parent / "absent" / "out.nc", "there is no such folder"),
        (target / "out.nc", "a part of its path is not a folder"),
        (target.parent, "it is a folder; name a file"),
        (target.parent / ("x" * 300), "its name is too long"),
    ):
        with pytest.raises(OutputError, match=sentence):
            write_whole(path, NEW)
    alone(target, OLD)


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_may_not_be_written_to_is_refused_before_and_after_the_work(
    target: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    protected = target.parent if kind == "folder" else target
    real = os.access  # the superuser may do everything, so the answer is made up
    monkeypatch.setattr(os, "access", lambda path, mode: path != protected and real(path, mode))
    with pytest.raises(OutputError, match="permission denied"):
        require_writable(target)
    if kind == "file":
        with pytest.raises(OutputError, match="permission denied"):
            write_whole(target, NEW)
    alone(target, OLD)


def test_a_target_is_looked_at_before_the_work(target: Path) -> None:
    require_writable(target)
    require_writable(target.parent / "new.nc")
    for path, sentence in (
        (target.parent / "absent" / "out.nc", "there is no such folder"),
        (target / "out.nc", "a part of its path is not a folder"),
        (target.parent, "it is a folder; name a file"),
    ):
        with pytest.raises(OutputError, match=sentence):
            require_writable(path)
    alone(target, OLD)


@pytest.mark.parametrize("call", ["write", "fsync", "open"])
def test_an_interrupt_leaves_the_old_file_and_nothing_else(
    target: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def interrupt(*_: object, **__: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path if call == "open" else os, call, interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_whole(target, NEW)
    monkeypatch.undo()
    alone(target, OLD)


KILLED = """
import os, signal, sys
from bayescale import atomic_write
real = os.write
def kill(number, content):
    real(number, content[:1000])
    os.kill(os.getpid(), signal.SIGKILL)
os.write = kill
atomic_write.write_whole(sys.argv[1], bytes(100_000))
"""


def killed_while_writing(target: Path) -> Path:
    """The temporary file that a killed process left behind."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", KILLED, str(target)], env=environment)
    assert done.returncode == -signal.SIGKILL
    (left,) = target.parent.glob(".*.partial")
    return left


def test_what_a_killed_process_left_is_removed_at_the_next_write(target: Path) -> None:
    left = killed_while_writing(target)
    assert left.stat().st_size == 1000
    assert target.read_bytes() == OLD
    dead = left.name.split(".")[-2].split("-")[0]
    (target.parent / f".out.nc.{dead}.partial").write_bytes(b"as 0.1 called them")
    write_whole(target, NEW)
    alone(target, NEW)


def test_what_is_being_written_and_what_is_another_s_stays(target: Path) -> None:
    import fcntl

    dead = killed_while_writing(target).name.split(".")[-2].split("-")[0]
    held = target.parent / f".out.nc.{dead}-00000000.partial"
    others = [
        target.parent / f".out.nc.{os.getppid()}-00000000.partial",  # its process lives
        target.parent / f".other.nc.{dead}-00000000.partial",
        target.parent / ".out.nc.partial",
        target.parent / f"out.nc.{dead}.partial",
    ]
    for path in (held, *others):
        path.write_bytes(b"x")
    with held.open("rb") as stream:  # another machine writes it
        fcntl.flock(stream.fileno(), fcntl.LOCK_EX)
        write_whole(target, NEW)
    names = {path.name for path in target.parent.iterdir()}
    assert names == {"out.nc", held.name, *(path.name for path in others)}


def test_long_names_and_names_of_any_bytes_are_written(tmp_path: Path) -> None:
    for name in ("x" * 255, "ü" * 127, os.fsdecode(b"\xff\xfe"), "a\nb", " "):
        assert write_whole(tmp_path / name, NEW).read_bytes() == NEW
    assert len(list(tmp_path.iterdir())) == 5


def test_many_threads_may_write_one_file(target: Path) -> None:
    contents = [bytes([i]) * 10_000 for i in range(8)]
    for _ in range(25):
        threads = [threading.Thread(target=write_whole, args=(target, one)) for one in contents]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert target.read_bytes() in contents
    alone(target, target.read_bytes())
