"""Pictures on a disk that fills up."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from s3net_monai.io.png import save_image
from s3net_monai.utils.atomic import atomic_path


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Ends a write as a full disk does: with fewer bytes written than given, and an error for the next write alone."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("name", ["mask.png", "preview.jpg"])
def test_a_disk_that_fills_up_leaves_no_half_picture(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8))
    save_image(picture, path)
    size = path.stat().st_size
    path.unlink()
    with largest_file(size - 100), pytest.raises(OSError, match="File too large"), atomic_path(path) as temporary:
        save_image(picture, temporary)
    assert list(tmp_path.iterdir()) == []
