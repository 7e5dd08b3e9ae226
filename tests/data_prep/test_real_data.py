"""Real data sets, where they are available: number of cases and test splits."""

import json

import pytest

from data_prep.prepare import prepare
from tests.helpers.paths import REAL_DATA

SETS = [
    ("ph2", "skin/ph2", 140),
    ("lung_volumes", "lung/volumes", 3),
    ("lung_slices", "lung/slices512", 22),
    ("kaggle_lung", "lung/slices64", 267),
    ("acdc", "cardiac/acdc", 160),
    ("dicom", "dicom/chest_A0001", 1),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "folder", "count"), SETS)
def test_real_sets_prepare_cleanly(tmp_path, name, folder, count):
    source = REAL_DATA / folder
    if not source.is_dir():
        pytest.skip(f"{source} is missing; set S3NET_DATA to the folder of the real data")
    content = json.loads(prepare(name, source, tmp_path).read_text())
    test = {entry["case_id"] for entry in content["test"]}
    assert sum(len(content[section]) for section in ("training", "validation", "test")) == count
    is_test = {
        "ph2": lambda case: int(case.removeprefix("IMD")) % 4 == 0,
        "lung_volumes": lambda case: case == "id003",
        "lung_slices": lambda case: True,
        "acdc": lambda case: 71 <= int(case[7:10]) <= 80,
    }
    if name in is_test:
        case_ids = {entry["case_id"] for section in ("training", "validation", "test") for entry in content[section]}
        assert test == {case for case in case_ids if is_test[name](case)}
