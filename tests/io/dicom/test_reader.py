"""The reader inside MONAI's LoadImaged: which inputs it takes and which it leaves to other readers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from monai.bundle import ConfigParser
from PIL import Image

from s3net_monai.io import CaseError, DicomSeriesReader


@pytest.fixture
def load() -> Callable[[Any], Any]:
    parser = ConfigParser(
        {
            "imports": ["$from s3net_monai.io import upright_rgb"],
            "load": {
                "_target_": "LoadImaged",
                "keys": "image",
                "reader": [
                    {"_target_": "PILReader", "converter": "$upright_rgb"},
                    "s3net_monai.io.DicomSeriesReader",
                ],
                "ensure_channel_first": True,
            },
        }
    )
    transform = parser.get_parsed_content("load")
    return lambda path: transform({"image": path})["image"]


def test_folder_and_list_of_files_load_alike(
    load: Callable[[Any], Any], series_maker: Callable[..., Any], stored_ramp: np.ndarray, tmp_path: Path
) -> None:
    folder = series_maker(stored_ramp, pixel_spacing=(0.5, 0.75)).save(tmp_path / "ct")
    image = load(str(folder))
    assert image.shape == (1, 6, 4, 5)
    np.testing.assert_allclose(image.affine, [[-0.75, 0, 0, 10], [0, -0.5, 0, 20], [0, 0, 2, 30], [0, 0, 0, 1]])
    np.testing.assert_array_equal(image[0, 1, 2], stored_ramp[:, 2, 1].astype(float) - 1024)
    listed = load([str(file) for file in folder.iterdir()])
    np.testing.assert_array_equal(listed, image)


def test_other_formats_go_to_their_own_readers(load: Callable[[Any], Any], tmp_path: Path) -> None:
    nib.save(
        nib.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.diag([2, 3, 4, 1])), tmp_path / "a.nii.gz"
    )
    volume = load(str(tmp_path / "a.nii.gz"))
    assert volume.shape == (1, 2, 3, 4)
    assert volume.affine.diagonal().tolist() == [2, 3, 4, 1]
    Image.new("L", (5, 3), 7).save(tmp_path / "a.png")
    assert load(str(tmp_path / "a.png")).shape == (3, 5, 3)


def test_refused_series_does_not_reach_other_readers(
    load: Callable[[Any], Any], series_maker: Callable[..., Any], stored_ramp: np.ndarray, tmp_path: Path
) -> None:
    maker = series_maker(stored_ramp)
    del maker.slices[2]
    folder = maker.save(tmp_path / "ct")
    with pytest.raises(CaseError, match="missing slice"):
        load(str(folder))


def test_suffixes(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(b"")
    (tmp_path / "no_suffix").write_bytes(b"\0" * 128 + b"DICM")
    (tmp_path / "a.png").write_bytes(b"x")
    reader = DicomSeriesReader()
    assert reader.verify_suffix([tmp_path / "a.dcm", tmp_path / "no_suffix"])
    assert reader.verify_suffix(tmp_path)
    assert not reader.verify_suffix(tmp_path / "a.png")
    assert not reader.verify_suffix([tmp_path / "a.dcm", tmp_path / "a.png"])
    assert not reader.verify_suffix(tmp_path / "missing.nii.gz")
