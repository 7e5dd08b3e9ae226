"""PH2 dermoscopy (Mendonça et al., EMBC 2013): one image per patient, with lesion masks."""

from __future__ import annotations

from pathlib import Path

from data_prep.layout import IMAGE_SUFFIXES, find_label, list_files, list_files_below, require_cases
from s3net_monai.data.datalist import DatalistCase
from s3net_monai.data.splits import choose_split

DESCRIPTION = "PH2 dermoscopy with lesion masks; test: image numbers divisible by 4"
MODALITY = "dermoscopy"
NUM_CLASSES = 2
LAYOUT = "IMD###/IMD###_Dermoscopic_Image/IMD###.bmp with IMD###_lesion/, or images/IMD###.jpg with masks/"


def find_cases(source: Path, destination: Path) -> list[DatalistCase]:
    """Find the images of the original tree of folders, or of images/ and masks/.

    Raises:
        DataError: if ``source`` holds no image of the set.
    """
    original = [p for p in list_files_below(source, "IMD*.bmp") if p.parent.name == f"{p.stem}_Dermoscopic_Image"]
    flat = [p for p in list_files(source / "images", IMAGE_SUFFIXES) if p.stem.startswith("IMD")]
    cases = []
    for image in original or flat:
        name = image.stem
        if original:
            label = find_label(image.parent.parent / f"{name}_lesion", f"{name}_lesion", (".bmp", ".png"))
        else:
            label = find_label(source / "masks", name)
        digits = name.removeprefix("IMD")
        split = choose_split(name, is_test=digits.isdigit() and int(digits) % 4 == 0)
        cases.append(DatalistCase(case_id=name, patient=name, split=split, image=image, label=label))
    return require_cases(cases, source, LAYOUT)
