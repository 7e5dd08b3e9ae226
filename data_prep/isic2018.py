"""ISIC 2018 Task 1 dermoscopy with lesion masks; the set names no patients, so every image counts as one."""

from __future__ import annotations

from pathlib import Path

from data_prep.layout import IMAGE_SUFFIXES, find_label, list_files, require_cases
from s3net_monai.data.datalist import DatalistCase
from s3net_monai.data.splits import choose_split

DESCRIPTION = "ISIC 2018 Task 1 dermoscopy with lesion masks; test: the validation folder"
MODALITY = "dermoscopy"
NUM_CLASSES = 2
LAYOUT = "ISIC2018_Task1-2_Training_Input with ISIC2018_Task1_Training_GroundTruth, or train/images with train/masks"

# Images, masks, what a mask's name adds to its image's, and whether the part is for test.
_PARTS = (
    ("ISIC2018_Task1-2_Training_Input", "ISIC2018_Task1_Training_GroundTruth", "_segmentation", False),
    ("ISIC2018_Task1-2_Validation_Input", "ISIC2018_Task1_Validation_GroundTruth", "_segmentation", True),
    ("train/images", "train/masks", "", False),
    ("val/images", "val/masks", "", True),
)


def find_cases(source: Path, destination: Path) -> list[DatalistCase]:
    """Find the images of the challenge's own folders, or of train/ and val/; the challenge's test folder is ignored.

    Raises:
        DataError: if ``source`` holds no image of the set.
    """
    cases = []
    for images, masks, ending, is_test in _PARTS:
        for image in list_files(source / images, IMAGE_SUFFIXES):
            name = image.stem
            if name.startswith("ISIC_") and not name.endswith("_superpixels"):
                label = find_label(source / masks, f"{name}{ending}")
                split = choose_split(name, is_test=is_test)
                cases.append(DatalistCase(case_id=name, patient=name, split=split, image=image, label=label))
    return require_cases(cases, source, LAYOUT)
