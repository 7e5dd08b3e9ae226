"""An object whose unpickling runs code: a harmless one that creates an empty file."""

from __future__ import annotations

from pathlib import Path
from typing import Any


class Pickled:
    """Unpickling it creates ``flag``."""

    def __init__(self, flag: Path) -> None:
        self.flag = flag

    def __reduce__(self) -> Any:
        return Path.touch, (self.flag,)
