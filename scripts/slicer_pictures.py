"""Render docs/pictures/slicer_*.jpg: what 3D Slicer reads of our files, told from the files themselves.

usage: python scripts/slicer_pictures.py

Lungs and lesion are segmented by the released weights on phantoms; the heart shows the phantom's own labels. Every mask
is written as .seg.nrrd and read back; outlines, colors, names and codes in the picture are those of the file.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from data_prep.phantom import write_cardiac_phantom, write_lung_phantom, write_skin_phantom
from s3net_monai.inference import Case, bundle_root, load_bundle
from s3net_monai.inference.discovery.find_cases import Kind
from s3net_monai.inference.report.previews import preview
from s3net_monai.inference.run.segmenter import infer_sample, read_case
from s3net_monai.io import FORMATS, Code, Label, Mask
from s3net_monai.io.label_maps.place_label import read_label_of
from s3net_monai.io.nifti_reader import load_nifti
from s3net_monai.tasks import TASKS

PICTURES = Path(__file__).resolve().parents[1] / "docs" / "pictures"
WIDTH, QUALITY, LINE = 420, 85, 22


def main() -> None:
    """Write the three previews."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        lung = write_lung_phantom(folder, "lung", (96, 96, 32))[0]
        skin = write_skin_phantom(folder, "skin", seed=3)[0]
        _show("lung", lung, "volume", folder)
        _show("skin", skin, "image_2d", folder)
        image, label = write_cardiac_phantom(folder, "heart", (96, 96, 9))[0][1:]
        _show("cardiac", image, "volume", folder, label)


def _show(task: str, image: Path, kind: Kind, folder: Path, label: Path | None = None) -> None:
    """Segment an image, or take a label in place of that, and draw the file that is written of it."""
    if label is None:
        bundle = load_bundle(task, bundle_root(task), torch.device("cpu"))
        sample = read_case(Case(case_id=task, input=image, image=(image,), kind=kind), bundle)
        pixels = sample["source"].image
        found = infer_sample(sample, bundle)
        array, affine = found.mask, found.affine
    else:
        pixels, affine, _ = load_nifti(image)
        array = read_label_of(image, label, shape=pixels.shape, affine=affine, binary=False).astype(np.uint8)
    path = folder / f"{task}.seg.nrrd"
    mask = Mask(
        array=array,
        affine=affine,
        source=(image,),
        labels=TASKS[task].labels,
        model_name=task,
        model_version="phantom",
    )
    FORMATS["segnrrd"].write(mask, path)
    labels = _labels_in(path)
    picture = preview(pixels, array, affine=affine, task=replace(TASKS[task], labels=labels), size=WIDTH)
    sheet = Image.new("RGB", (WIDTH, picture.height + LINE * len(labels) + 8), (255, 255, 255))
    sheet.paste(picture, ((WIDTH - picture.width) // 2, 0))
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for row, each in enumerate(labels):
        top = picture.height + 6 + LINE * row
        pen.rectangle((8, top, 24, top + 14), each.rgb, (60, 60, 60))
        pen.text(
            (34, top - 1), f"{each.value}  {each.name}   SCT {each.type.value} {each.type.meaning}", (0, 0, 0), font
        )
    sheet.save(PICTURES / f"slicer_{task}.jpg", quality=QUALITY)


def _labels_in(path: Path) -> tuple[Label, ...]:
    """Names, values, colors and codes as the file has them."""
    import slicerio

    labels = []
    for segment in slicerio.read_segmentation(str(path))["segments"]:
        red, green, blue = (round(255 * part) for part in segment["color"])
        category, kind = (_code(segment["terminology"][name]) for name in ("category", "type"))
        labels.append(
            Label(
                value=int(segment["labelValue"]),
                name=segment["name"],
                rgb=(red, green, blue),
                category=category,
                type=kind,
            )
        )
    return tuple(labels)


def _code(entry: list[str]) -> Code:
    scheme, value, meaning = entry
    return Code(value, meaning, scheme)


if __name__ == "__main__":
    main()
