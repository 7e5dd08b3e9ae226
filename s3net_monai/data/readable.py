"""Reading of all cases of a training before it starts: those that cannot be read are named in one message."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from monai.data import CacheDataset
from monai.transforms import LoadImaged

from s3net_monai.utils.errors import DataError
from s3net_monai.utils.messages import causes, one_line
from s3net_monai.utils.reasons import in_words, message_for_users

_NO_READER = "cannot find a suitable reader"


class UnreadableCases:
    """The cases that could not be read so far, each with its reason.

    Example:
        >>> unreadable = UnreadableCases()
        >>> with unreadable.collect({"case_id": "a", "image": "a.png"}):
        ...     raise ValueError("no pixels")
        >>> unreadable.refuse(total=2)
        Traceback (most recent call last):
        s3net_monai.utils.errors.DataError: 1 of 2 cases cannot be used; repair them, or take them out of the data:
        a: no pixels
    """

    def __init__(self) -> None:
        self.reasons: dict[str, str] = {}

    @contextmanager
    def collect(self, case: Mapping[str, Any]) -> Iterator[None]:
        """Note an error of the block as the reason for a case."""
        try:
            yield
        except Exception as error:  # readers and transforms raise whatever the damage provokes
            name = str(case.get("case_id") or _file_name(case))
            self.reasons.setdefault(name, _reason(error, case))

    def refuse(self, total: int) -> None:
        """Raise one error that names all of them, if there are any.

        Args:
            total: number of cases that were read.

        Raises:
            DataError: with one line per case.
        """
        if self.reasons:
            lines = [f"{name}: {reason.removeprefix(f'{name}: ')}" for name, reason in sorted(self.reasons.items())]
            heading = f"{len(lines)} of {total} cases cannot be used; repair them, or take them out of the data:"
            raise DataError(heading, lines)


class ReadableCacheDataset(CacheDataset):
    """MONAI's ``CacheDataset``, which names all cases that cannot be read when it is built.

    MONAI stops at the first one; a case outside the cache would stop the training when its turn comes, maybe in a
    worker and after hours. Cases outside the cache are read as well, without the steps after reading.

    Args:
        data: cases, as in a datalist.
        transform: steps of a case; the first ones read its files by ``LoadImaged``.
        options: those of ``CacheDataset``.

    Raises:
        DataError: with one line per case that cannot be read.

    Example:
        >>> from monai.transforms import Compose
        >>> len(ReadableCacheDataset([{"image": 1}, {"image": 2}], Compose([]), cache_rate=0.5, progress=False))
        2
    """

    def set_data(self, data: Sequence[Any]) -> None:
        """Read and cache the cases."""
        self._unreadable, self._tried = UnreadableCases(), set[str]()
        super().set_data(data)
        loaders = [step for step in self.transform.transforms if isinstance(step, LoadImaged)]
        for case in data:
            if loaders and repr(case) not in self._tried:
                with self._unreadable.collect(case):
                    sample = case
                    for loader in loaders:
                        sample = loader(sample)
        self._unreadable.refuse(total=len(data))

    def _load_cache_item(self, idx: int) -> Any:
        case = self.data[idx]
        self._tried.add(repr(case))
        with self._unreadable.collect(case):
            return super()._load_cache_item(idx)
        return None


def _file_name(case: Mapping[str, Any]) -> str:
    image = case.get("image")
    first = image[0] if isinstance(image, (list, tuple)) and image else image
    return Path(first).name if isinstance(first, str) else "case"


def _reason(error: Exception, case: Mapping[str, Any]) -> str:
    """Return one line; the message of a transform names the transform alone, that of LoadImage holds tracebacks."""
    if (lines := message_for_users(error)) is not None:
        return one_line("; ".join(lines), limit=400)
    chain = list(causes(error))
    if any(_NO_READER in str(link) for link in chain):  # a bundle without RefuseOthersReader
        return f"{_file_name(case)} cannot be read: no reader takes it"
    damaged = isinstance(chain[-1], (EOFError, struct.error, zlib.error, OSError))
    found = "damaged or cut off" if damaged else "the steps of the config cannot prepare it"
    return one_line(in_words(chain[-1], found, "copy it again" if damaged else "look at it"), limit=400)
