"""Write a file whole or not at all: the one way in which anything is written.

What is written goes to a temporary file beside the target, is flushed to the disk, and takes the
target's place by a rename. Links are followed, modes are kept. Devices and pipes cannot be renamed
onto, so they are written through.
"""

import errno
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

from bayescale.errors import OutputError

try:
    import fcntl
except ImportError:  # Windows: an open file cannot be removed there, so nothing need be locked
    fcntl = None

STEM = 200
"""Most bytes of a target's name in that of its temporary file; common file systems allow 255."""

CURES = {
    errno.ENOSPC: "its disk is full; free some space or name another path",
    errno.EDQUOT: "the quota of its disk is used up; free some space or name another path",
    errno.EFBIG: (
        "it would be larger than the limit on the size of a file; raise it (`ulimit -f`) or name "
        "another path"
    ),
    errno.EROFS: "its file system is read-only; name another path",
    errno.ENOENT: "there is no such folder; make it or name another path",
    errno.ENOTDIR: "a part of its path is not a folder; name another path",
    errno.EISDIR: "it is a folder; name a file",
    errno.EACCES: "permission denied; change its mode or name another path",
    errno.EPERM: "permission denied; change its mode or name another path",
    errno.ELOOP: "its links form a circle; name another path",
    errno.ENAMETOOLONG: "its name is too long; name another path",
    errno.EPIPE: "nobody reads from it any more; name another path",
    errno.ENXIO: "it is a socket or a device that is not there; name another path",
}
"""Number of an operating system's error -> what is wrong and what to do."""


def write_whole(target: str | os.PathLike, content: bytes | memoryview) -> Path:
    """Write a file whole or not at all.

    Parameters
    ----------
    target
        Where to. A link is followed, and what it leads to is replaced; an existing file keeps its
        mode. A pipe or a character device (``/dev/stdout``) is written through; a pipe without a
        reader is waited for.
    content
        All of it.

    Returns
    -------
    pathlib.Path
        The target.

    Raises
    ------
    OutputError
        If it cannot be written; what was there before is kept, and nothing else is left behind.
    """
    path = Path(target)
    try:
        before = _status(path)
        if before is not None and (stat.S_ISFIFO(before.st_mode) or stat.S_ISCHR(before.st_mode)):
            with path.open("wb", buffering=0) as stream:
                _write_all(stream.fileno(), content)
        else:
            _replace(path, before, content)
    except OSError as error:
        raise _unwritable(path, error) from error
    return path


def require_writable(target: str | os.PathLike) -> None:
    """Refuse a target that could not be written, before the work is done.

    Raises
    ------
    OutputError
        If its folder does not exist or may not be written to, or if it is a folder itself.
    """
    path = Path(target)
    try:
        before = _status(path)
        if before is None or stat.S_ISREG(before.st_mode):
            folder = Path(os.path.realpath(path)).parent
            if not stat.S_ISDIR(folder.stat().st_mode):
                raise NotADirectoryError(errno.ENOTDIR, "")
            if not os.access(folder, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, "")
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> OutputError:
    reason = CURES.get(error.errno or 0, f"{error.strerror or error}; name another path")
    return OutputError(f"'{path}' cannot be written: {reason}.")


def _status(path: Path) -> os.stat_result | None:
    """What is at a path, links followed; None where nothing is.

    Raises
    ------
    OutputError
        If it is nothing that may be written to.
    OSError
        If it cannot be looked at.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, "")
    if stat.S_ISBLK(found.st_mode) or stat.S_ISSOCK(found.st_mode):
        kind = "block device" if stat.S_ISBLK(found.st_mode) else "socket"
        raise OutputError(f"'{path}' cannot be written: it is a {kind}; name a file.")
    if stat.S_ISREG(found.st_mode):
        if any(os.path.samestat(found, one) for one in _standard_streams()):
            raise OutputError(
                f"'{path}' cannot be written: the standard output or error goes there already; "
                "name another path."
            )
        if not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, "")
    return found


def _standard_streams() -> Iterator[os.stat_result]:
    """Where the standard output and error of this process go."""
    for number in (1, 2):
        try:
            yield os.fstat(number)
        except OSError:
            continue


_own: set[str] = set()
"""Names of the temporary files that threads of this process are writing."""


def _replace(path: Path, before: os.stat_result | None, content: bytes | memoryview) -> None:
    final = Path(os.path.realpath(path))
    _remove_abandoned(final)
    while True:
        partial = final.with_name(f"{_stem(final.name)}.{os.getpid()}-{token_hex(4)}.partial")
        _own.add(partial.name)
        try:
            with partial.open("xb", buffering=0) as stream:
                if not _hold(stream.fileno()):
                    continue
                if before is not None:
                    _keep_owner_and_mode(partial, before)
                _write_all(stream.fileno(), content)
                _synchronise(stream.fileno())
                if fcntl is not None:  # while it is held, or another thread takes it for abandoned
                    partial.replace(final)
            if fcntl is None:  # where there are no such locks, an open file cannot be renamed
                partial.replace(final)
            break
        except BaseException:  # an interrupt leaves nothing behind either
            partial.unlink(missing_ok=True)
            raise
        finally:
            _own.discard(partial.name)
    _synchronise_folder(final.parent)


def _stem(name: str) -> str:
    """Beginning of the names of a target's temporary files, which are hidden."""
    return f".{os.fsdecode(os.fsencode(name)[:STEM])}"


def _write_all(number: int, content: bytes | memoryview) -> None:
    rest = memoryview(content).cast("B")
    while rest:
        rest = rest[os.write(number, rest[: 1 << 24]) :]


def _hold(number: int) -> bool:
    """Lock a new temporary file; False where it was taken for abandoned before it was locked."""
    _lock(number)
    return os.fstat(number).st_nlink > 0


def _lock(number: int) -> bool:
    """Lock a file; False where another process has, or where files cannot be locked."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _keep_owner_and_mode(partial: Path, before: os.stat_result) -> None:
    try:
        if os.name == "posix":
            os.chown(partial, before.st_uid, before.st_gid)
    except OSError:
        pass  # only the superuser may give files away
    partial.chmod(stat.S_IMODE(before.st_mode))


def _synchronise(number: int) -> None:
    try:
        os.fsync(number)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # of a file system that cannot
            raise


def _synchronise_folder(folder: Path) -> None:
    """Make the rename itself last; where a folder cannot be opened, as on Windows, it is not."""
    try:
        number = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(number)
    except OSError:
        pass  # the file is in its place all the same
    finally:
        os.close(number)


def _remove_abandoned(final: Path) -> None:
    """Remove temporary files of the target whose process was killed while it wrote.

    The process is dead, and nobody holds the file: on a disk that several machines share the
    number of a process alone says nothing.
    """
    if fcntl is None:
        return
    owned = re.compile(re.escape(_stem(final.name)) + r"\.(\d+)(-[0-9a-f]+)?\.partial")
    try:
        names = os.listdir(final.parent)
    except OSError:
        return
    for name in names:
        found = owned.fullmatch(name)
        if found and name not in _own and not _is_alive(int(found[1])):
            _remove_unheld(final.with_name(name))


def _is_alive(process: int) -> bool:
    """Whether another process of that number runs on this machine."""
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _remove_unheld(path: Path) -> None:
    try:
        with path.open("rb") as stream:
            if _lock(stream.fileno()):
                path.unlink()
    except OSError:
        pass
