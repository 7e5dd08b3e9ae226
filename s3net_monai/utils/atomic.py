"""Files that are either complete or absent."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from s3net_monai.utils.output_paths import is_full

PARTIAL = ".partial-"


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path of the same name, whose file replaces ``path`` if the block succeeds.

    It is in a new folder beside ``path`` that nobody else may write to and whose name nobody can foresee: writers
    follow links, and a link that another user put in the place of a file would lead them elsewhere. Some writers store
    the name of the file inside it, as ``torch.jit.save`` does.

    Raises:
        OSError: from the block, or because the file cannot be put into its place. Where the disk does not take it, the
            error names ``path``.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=path.parent))
        try:
            yield folder / path.name
            os.replace(folder / path.name, path)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        # Opening names the temporary file, and writing none.
        if PARTIAL in str(error.filename) or (error.filename is None and is_full(error)):
            error.filename, error.filename2 = os.fspath(path), None
        raise


def remove_partial(folder: Path) -> None:
    """Remove the partial files of a killed run; only while no other process writes into ``folder``."""
    for path in folder.glob(f"{PARTIAL}*"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
