"""What programs outside the project make of our DICOM SEG, as the table of readers in docs/formats.md says.

Where a program reads a file wrongly, the test holds that it does, so that a release which reads it right is noticed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import slicerio

from s3net_monai.io import Mask, write_mask
from s3net_monai.io.dicom.series import load_series
from s3net_monai.tasks import TASKS
from tests.helpers.ct_series import SeriesMaker
from tests.helpers.dicom_seg_writing import TYPES
from tests.helpers.dicom_tools import (
    OBLIQUE,
    foreground_positions,
    read_with_dcmqi,
    read_with_highdicom,
    read_with_simpleitk,
)
from tests.helpers.paths import ROOT

GEOMETRIES: dict[str, dict[str, Any]] = {
    "axial": {"pixel_spacing": (0.7, 0.8), "step": 3.0},
    "oblique coronal": {"orientation": OBLIQUE, "pixel_spacing": (0.8, 1.1), "step": -1.5},
}
BINARY, LABEL_MAP = TYPES


def written(
    folder: Path,
    format_name: str,
    *,
    geometry: str = "axial",
    size: tuple[int, int] = (10, 12),
    task: str = "lung",
    gap: bool = False,
) -> tuple[Path, set[tuple[float, ...]]]:
    """Write a mask of five slices of ``size`` (rows, columns); the file, and the positions of its foreground in mm.

    The first slice is empty, and with ``gap`` the third one, too.
    """
    series = SeriesMaker(np.zeros((5, *size), np.int16), **GEOMETRIES[geometry]).save(folder / "ct")
    stack = load_series([series])
    array = (np.random.default_rng(0).random(stack.array.shape) > 0.6).astype(np.uint8)
    if task == "cardiac":
        array[4:, :5] *= 2
        array[4:, 5:] *= 3
    array[:, :, [0, 2] if gap else 0] = 0
    mask = Mask(
        array=array,
        affine=stack.affine,
        source=(series,),
        labels=TASKS[task].labels,
        model_name="toy",
        model_version="1",
    )
    (folder / "seg").mkdir()
    path = write_mask(mask, folder / "seg", case_id="case", format_name=format_name)
    return path, foreground_positions(array, stack.affine)


def read_with_dcm2niix(path: Path, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Convert the SEG in its folder, and return the array (X, Y, Z[, segments]) with its RAS+ affine."""
    program = shutil.which("dcm2niix", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("dcm2niix is not installed; pip install dcm2niix")
    folder.mkdir()
    subprocess.run(
        [program, "-f", "converted", "-o", str(folder), str(path.parent)], capture_output=True, check=True, timeout=60
    )
    (file,) = folder.glob("*.nii")
    image = nibabel.load(file)
    return np.asarray(image.dataobj), image.affine


def test_the_page_names_the_versions_that_are_tested() -> None:
    page = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    pins = dict(
        re.findall(r"^([\w-]+)==([\w.]+)", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    )
    for name in ("highdicom", "dcmqi", "dcm2niix", "SimpleITK", "slicerio"):
        assert f"{name} {pins[name]}" in page
    ohif = re.search(r"^version=(.+)$", (ROOT / "scripts" / "get_ohif.sh").read_text(encoding="utf-8"), re.MULTILINE)
    assert ohif
    assert f"| OHIF {ohif[1]} |" in page


@pytest.mark.parametrize("format_name", TYPES)
@pytest.mark.parametrize("gap", [False, True], ids=["stack", "gap"])
@pytest.mark.parametrize("size", [(10, 12), (10, 11)], ids=["120 pixels", "110 pixels"])
def test_highdicom_and_dcmqi_read_all(tmp_path: Path, size: tuple[int, int], gap: bool, format_name: str) -> None:
    path, expected = written(tmp_path, format_name, size=size, gap=gap, geometry="oblique coronal")
    assert foreground_positions(*read_with_highdicom(path)) == expected
    assert foreground_positions(*read_with_dcmqi(path, tmp_path / "dcmqi")) == expected


@pytest.mark.parametrize("format_name", TYPES)
@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("size", [(10, 12), (10, 11)], ids=["120 pixels", "110 pixels"])
def test_dcm2niix_reads_a_stack_of_one_segment(
    tmp_path: Path, size: tuple[int, int], geometry: str, format_name: str
) -> None:
    path, expected = written(tmp_path, format_name, size=size, geometry=geometry)
    assert foreground_positions(*read_with_dcm2niix(path, tmp_path / "nii")) == expected


def test_dcm2niix_reads_the_segments_of_a_label_map(tmp_path: Path) -> None:
    path, expected = written(tmp_path, LABEL_MAP, task="cardiac")
    array, affine = read_with_dcm2niix(path, tmp_path / "nii")
    assert foreground_positions(array, affine) == expected
    assert np.unique(array).tolist() == [0, 1, 2, 3]


def test_dcm2niix_mixes_the_slices_of_binary_segments(tmp_path: Path) -> None:
    path, expected = written(tmp_path, BINARY, task="cardiac")
    array, affine = read_with_dcm2niix(path, tmp_path / "nii")
    assert array.shape == (12, 10, 4, 3), "as if every segment had a volume"
    assert foreground_positions(array.max(axis=3), affine) != expected


@pytest.mark.parametrize("format_name", TYPES)
def test_dcm2niix_closes_the_gap_of_a_slice_without_foreground(tmp_path: Path, format_name: str) -> None:
    path, expected = written(tmp_path, format_name, gap=True)
    array, affine = read_with_dcm2niix(path, tmp_path / "nii")
    assert array.shape[2] == 3
    assert foreground_positions(array, affine) != expected


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_itk_reads_a_binary_stack_of_one_segment(tmp_path: Path, geometry: str) -> None:
    path, expected = written(tmp_path, BINARY, geometry=geometry)
    array, affine = read_with_simpleitk(path)
    assert foreground_positions(array, affine) == expected
    assert np.unique(array).tolist() == [0, 255]


@pytest.mark.parametrize("change", [{"gap": True, "size": (10, 12)}, {"task": "cardiac"}], ids=["gap", "segments"])
def test_itk_misplaces_other_binary_frames(tmp_path: Path, change: dict[str, Any]) -> None:
    path, expected = written(tmp_path, BINARY, **change)
    assert foreground_positions(*read_with_simpleitk(path)) != expected


def test_itk_leaves_the_last_byte_out(tmp_path: Path) -> None:
    """Four frames of 99 pixels end within a byte, of which ITK makes four arbitrary voxels."""
    path, expected = written(tmp_path, BINARY, size=(9, 11))
    array, affine = read_with_simpleitk(path)
    last = np.zeros(array.shape, bool)
    last[-4:, -1, -1] = True
    found = foreground_positions(np.where(last, 0, array), affine)
    assert found == expected - foreground_positions(last, affine)


def test_itk_refuses_label_maps(tmp_path: Path) -> None:
    path, _ = written(tmp_path, LABEL_MAP)
    with pytest.raises(RuntimeError, match="Unable to determine ImageIO reader"):
        read_with_simpleitk(path)


@pytest.mark.parametrize("format_name", TYPES)
def test_slicerio_reads_no_dicom(tmp_path: Path, format_name: str) -> None:
    path, _ = written(tmp_path, format_name)
    with pytest.raises(OSError, match="NRRD"):
        slicerio.read_segmentation(str(path))
