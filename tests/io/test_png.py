"""2-D images on a disk that fills up."""

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
def limited_file_size(size: int) -> Iterator[None]:
    """End a write as a full disk does: with too few bytes written, and an error only at the next write."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("name", ["mask.png", "preview.jpg"])
def test_full_disk_leaves_no_partial_image(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8))
    save_image(image, path)
    size = path.stat().st_size
    path.unlink()
    with limited_file_size(size - 100), pytest.raises(OSError, match="File too large"), atomic_path(path) as temporary:
        save_image(image, temporary)
    assert list(tmp_path.iterdir()) == []
