"""What a format of logs is: how it is recognised, and how its runs are read."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from bayescale.logs.run_log import RunLog


class AbstractFormat(ABC):
    """A format of logs; nothing that it reads may be evaluated or unpickled."""

    title: ClassVar[str]
    """What the format is called in messages."""

    companions: ClassVar[tuple[str, ...]] = ()
    """Names of files that `read` looks at beside what it claims, and nobody claims themselves."""

    @abstractmethod
    def claims(self, path: Path) -> bool:
        """Whether a file or folder is of this format, by its name and first bytes.

        A folder is claimed where it is one run or one store as a whole; other folders are searched
        through, entry by entry, by whoever asks.
        """

    @abstractmethod
    def read(self, path: Path) -> Iterator[RunLog]:
        """The runs of a file or folder, one after the other.

        A file that is damaged gives what is whole before the damage and says in the notes of its
        run what was lost.

        Raises
        ------
        RunsError
            Nothing can be read.
        LimitError
            Reading could exhaust memory.
        """
