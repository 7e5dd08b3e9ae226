"""Cases in trees of a thousand levels, and beside paths that the system does not take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s3net_monai.inference import UsageError, find_cases
from tests.helpers.deep_folders import chain_of_folders
from tests.helpers.discovery_results import touch

TOO_LONG = "its path is longer than the system permits; move it to a folder nearer to the root"


def test_images_at_the_end_of_a_thousand_folders(series_maker: Callable[..., Any], tmp_path: Path) -> None:
    series = series_maker(np.zeros((2, 4, 4), dtype=np.uint16)).save(tmp_path / "ct")
    slices = {file.name: file.read_bytes() for file in series.iterdir()}
    (tmp_path / "in").mkdir()
    with chain_of_folders(tmp_path / "in", 1300, files={"a.png": b"", "a_mask.png": b"", **slices}) as last:
        discovery = find_cases([tmp_path / "in"])
    found = [(case.case_id, case.kind, case.input) for case in discovery.cases]
    assert found == [("d", "dicom_series", last), ("a", "image_2d", last / "a.png")]
    assert len(discovery.labels) == 1


def test_too_long_a_path_is_a_failed_case_and_the_others_are_found(tmp_path: Path) -> None:
    touch(tmp_path / "top.png", tmp_path / "z" / "b.nii")
    name = "d" * 100
    with chain_of_folders(tmp_path, 60, name=name, files={"a.png": b""}):
        cases = find_cases([tmp_path]).cases
    assert [(case.case_id, case.kind) for case in cases] == [("top", "image_2d"), (name, "unusable"), ("b", "volume")]
    assert cases[1].problem == f"{name}: {TOO_LONG}"


@pytest.mark.parametrize("path", [Path("/", *["d" * 100] * 60), Path("d" * 300 + ".png")])
def test_too_long_a_path_that_the_user_names(tmp_path: Path, path: Path) -> None:
    touch(tmp_path / "a.png")
    failed, found = find_cases([path, tmp_path / "a.png"]).cases
    assert (failed.kind, found.case_id) == ("unusable", "a")
    assert failed.problem == f"{path}: {TOO_LONG}"
    with pytest.raises(UsageError, match="longer than the system permits"):
        find_cases([path])
