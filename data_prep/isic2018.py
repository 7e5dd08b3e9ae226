"""ISIC 2018 Task 1 dermoscopy with lesion masks; the set names no patient, so an image stands for one."""

from __future__ import annotations

from pathlib import Path

from data_prep.layout import PICTURES, files_in, found_or_error, label_beside
from s3net_monai.data.datalist import Case
from s3net_monai.data.splits import split_of

DESCRIPTION = "ISIC 2018 Task 1 dermoscopy with lesion masks; test: the validation folder"
MODALITY = "dermoscopy"
LAYOUT = "ISIC2018_Task1-2_Training_Input with ISIC2018_Task1_Training_GroundTruth, or train/images with train/masks"

# Images, masks, what a mask's name adds to its image's, and whether the part is for test.
_PARTS = (
    ("ISIC2018_Task1-2_Training_Input", "ISIC2018_Task1_Training_GroundTruth", "_segmentation", False),
    ("ISIC2018_Task1-2_Validation_Input", "ISIC2018_Task1_Validation_GroundTruth", "_segmentation", True),
    ("train/images", "train/masks", "", False),
    ("val/images", "val/masks", "", True),
)


def find_cases(source: Path, destination: Path) -> list[Case]:
    """Cases of the challenge's own folders, or of train/ and val/; the challenge's test folder is left alone."""
    cases = []
    for images, masks, ending, test in _PARTS:
        for image in files_in(source / images, PICTURES):
            name = image.stem
            if name.startswith("ISIC_") and not name.endswith("_superpixels"):
                label = label_beside(source / masks, f"{name}{ending}")
                cases.append(Case(name, name, split_of(name, test), image, label))
    return found_or_error(cases, source, LAYOUT)
