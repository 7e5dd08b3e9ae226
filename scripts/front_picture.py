"""Render docs/pictures/masks.jpg, the image at the top of the README, from phantoms and the released weights.

usage: python scripts/front_picture.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from s3net_monai.cli import main

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "pictures" / "masks.jpg"
SIDE, GAP, CAPTION, QUALITY = 426, 6, 30, 88
TILES_PER_ROW = 3  # of the preview of a volume
PANELS = {  # task: arguments of `s3net phantom`, case that is shown, tiles of its preview, caption
    "lung": (["--shape", "256", "256", "128"], "lung_0000", (1, 3, 7, 8), "lung: chest CT"),
    "skin": (["--count", "3"], "skin_0002", (), "skin: dermoscopy"),
    "cardiac": (["--count", "2"], "patient002_frame01", (0, 2, 3, 5), "cardiac: short-axis cine MR"),
}


def draw() -> None:
    """Segment one phantom per task and paste the panels side by side."""
    sheet = Image.new("RGB", (len(PANELS) * SIDE + (len(PANELS) - 1) * GAP, SIDE + CAPTION), (255, 255, 255))
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(18)
    for column, (task, (arguments, case_id, tiles, caption)) in enumerate(PANELS.items()):
        left = column * (SIDE + GAP)
        with tempfile.TemporaryDirectory() as scratch:
            main(["phantom", task, scratch, *arguments])
            main(["segment", f"{scratch}/images", "--task", task, "--output", f"{scratch}/masks"])
            with Image.open(f"{scratch}/masks/{case_id}_preview.jpg") as preview:
                sheet.paste(_square(preview, tiles), (left, 0))
        pen.text((left + SIDE / 2, SIDE + CAPTION / 2), caption, (40, 40, 40), font, anchor="mm")
    sheet.save(PICTURE, quality=QUALITY)


def _square(preview: Image.Image, tiles: tuple[int, ...]) -> Image.Image:
    """Four tiles of a volume's preview, or the center of a 2-D image's preview; SIDE x SIDE pixels."""
    square = Image.new("RGB", (SIDE, SIDE))
    if not tiles:
        offset = (preview.width - preview.height) // 2
        return preview.crop((offset, 0, offset + preview.height, preview.height)).resize((SIDE, SIDE))
    size = preview.width // TILES_PER_ROW
    for index, tile in enumerate(tiles):
        row, column = divmod(tile, TILES_PER_ROW)
        box = (column * size, row * size, (column + 1) * size, (row + 1) * size)
        square.paste(preview.crop(box), (index % 2 * SIDE // 2, index // 2 * SIDE // 2))
    return square


if __name__ == "__main__":
    draw()
