"""Reading and writing pictures alone: ``floor_pictures.py RESULT.json PICTURE...``, with Pillow."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from timing import write_result


def main(result: str, *pictures: str) -> None:
    """Decode every picture, write a mask of its size as PNG, and write the seconds of both."""
    read = write = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for picture in pictures:
            started = time.perf_counter()
            with Image.open(picture) as image:
                pixels = np.asarray(image.convert("RGB"))
            middle = time.perf_counter()
            mask = (pixels[..., 0] > pixels[..., 0].mean()).astype(np.uint8) * np.uint8(255)
            Image.fromarray(mask).save(Path(folder) / "mask.png")
            read, write = read + middle - started, write + time.perf_counter() - middle
    write_result(result, {"phases": {"read": read, "write": write}})


if __name__ == "__main__":
    main(*sys.argv[1:])
