"""PH2 dermoscopy (Mendonça et al., EMBC 2013): one image a patient, lesion masks."""

from __future__ import annotations

from pathlib import Path

from data_prep.layout import PICTURES, files_below, files_in, found_or_error, label_beside
from s3net_monai.data.datalist import Case
from s3net_monai.data.splits import split_of

DESCRIPTION = "PH2 dermoscopy with lesion masks; test: image numbers divisible by 4"
MODALITY = "dermoscopy"
LAYOUT = "IMD###/IMD###_Dermoscopic_Image/IMD###.bmp with IMD###_lesion/, or images/IMD###.jpg with masks/"


def find_cases(source: Path, destination: Path) -> list[Case]:
    """Cases of the original tree of folders, or of images/ and masks/."""
    original = [p for p in files_below(source, "IMD*.bmp") if p.parent.name == f"{p.stem}_Dermoscopic_Image"]
    cases = []
    for image in original or [p for p in files_in(source / "images", PICTURES) if p.stem.startswith("IMD")]:
        name = image.stem
        if original:
            label = label_beside(image.parent.parent / f"{name}_lesion", f"{name}_lesion", (".bmp", ".png"))
        else:
            label = label_beside(source / "masks", name)
        digits = name.removeprefix("IMD")
        cases.append(Case(name, name, split_of(name, digits.isdigit() and int(digits) % 4 == 0), image, label))
    return found_or_error(cases, source, LAYOUT)
