"""The synthetic series is valid DICOM and carries the volume's geometry, straight, oblique, reversed and tilted."""

import shutil
import subprocess

import numpy as np
import pydicom
import pytest

from data_prep.phantom import write_lung_phantom
from data_prep.phantom_dicom import write_ct_series
from data_prep.phantom_grid import phantom_affine
from s3net_monai.io.dicom.series import load_series
from s3net_monai.utils.errors import CaseError
from s3net_monai.utils.geometry import LPS_TO_RAS

SHAPE = (12, 10, 6)


def turned(degrees):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[1.0, 0, 0], [0, c, -s], [0, s, c]])


GRIDS = {
    "scanner": phantom_affine(SHAPE),
    "non-square pixels": phantom_affine(SHAPE, spacing=(0.7, 1.3, 5.0)),
    "oblique": phantom_affine(SHAPE, spacing=(0.8, 1.1, 2.5), rotation=turned(15)),
    "coronal": phantom_affine(SHAPE, spacing=(2.0, 2.0, 3.0), rotation=turned(-90)),
}


@pytest.fixture
def volume():
    rng = np.random.default_rng(0)
    image = rng.integers(-1024, 3072, SHAPE).astype(np.int16)
    image[0, 0, 0], image[-1, -1, -1] = -1024, 3071
    return image


@pytest.mark.parametrize("feet_last", [False, True])
@pytest.mark.parametrize("name", GRIDS)
def test_series_reads_back_with_its_geometry(tmp_path, volume, name, feet_last):
    write_ct_series(volume, GRIDS[name], tmp_path, case_id="case", feet_last=feet_last)
    series = load_series([tmp_path])
    assert np.array_equal(series.array, volume)
    assert np.allclose(series.affine, GRIDS[name], atol=1e-4)


def test_rows_and_columns_are_not_confused(tmp_path, volume):
    first = pydicom.dcmread(write_ct_series(volume, GRIDS["non-square pixels"], tmp_path, case_id="case")[0])
    assert (first.Rows, first.Columns) == (10, 12)
    assert [float(v) for v in first.PixelSpacing] == [1.3, 0.7]
    assert first.pixel_array[3, 5] - 1024 == volume[5, 3, 0]


def test_feet_last_numbers_from_the_head(tmp_path, volume):
    files = write_ct_series(volume, GRIDS["scanner"], tmp_path, case_id="case", feet_last=True)
    heights = [float(pydicom.dcmread(file).ImagePositionPatient[2]) for file in files]
    assert heights == sorted(heights, reverse=True)


def test_tilted_gantry_is_told_by_the_positions(tmp_path, volume):
    lps = LPS_TO_RAS @ GRIDS["scanner"]
    lps[1, 2] = lps[2, 2] * np.tan(np.radians(12))
    files = write_ct_series(volume, LPS_TO_RAS @ lps, tmp_path, case_id="case")
    assert float(pydicom.dcmread(files[0]).GantryDetectorTilt) == pytest.approx(12)
    with pytest.raises(CaseError, match="tilt"):
        load_series([tmp_path])


def test_axis_against_the_normal_is_refused(tmp_path, volume):
    with pytest.raises(ValueError, match="feet_last"):
        write_ct_series(volume, GRIDS["scanner"] @ np.diag([1, 1, -1, 1]), tmp_path, case_id="case")


def test_identifiers_are_stable_and_distinct(tmp_path, volume):
    one = [pydicom.dcmread(f) for f in write_ct_series(volume, GRIDS["scanner"], tmp_path / "1", case_id="a")]
    two = [pydicom.dcmread(f) for f in write_ct_series(volume, GRIDS["scanner"], tmp_path / "2", case_id="a")]
    other = pydicom.dcmread(write_ct_series(volume, GRIDS["scanner"], tmp_path / "3", case_id="b")[0])
    assert [d.SOPInstanceUID for d in one] == [d.SOPInstanceUID for d in two]
    assert len({d.SOPInstanceUID for d in one}) == SHAPE[2]
    assert len({d.SeriesInstanceUID for d in [*one, *two]}) == 1
    assert other.SeriesInstanceUID != one[0].SeriesInstanceUID
    assert other.StudyInstanceUID != one[0].StudyInstanceUID
    assert other.PatientID != one[0].PatientID


def test_writing_again_leaves_no_slice_of_the_longer_series(tmp_path, volume):
    write_ct_series(volume, GRIDS["scanner"], tmp_path, case_id="case")
    write_ct_series(volume[..., :4], GRIDS["scanner"], tmp_path, case_id="case")
    assert load_series([tmp_path]).array.shape == (12, 10, 4)


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (package dicom3tools) is not installed")
@pytest.mark.parametrize("name", GRIDS)
def test_validator_finds_no_error(tmp_path, name):
    image, _ = write_lung_phantom(tmp_path, "case", SHAPE, dicom=True, affine=GRIDS[name])
    for file in sorted(image.iterdir()):
        report = subprocess.run(["dciodvfy", str(file)], capture_output=True, text=True, check=False)
        assert "Error" not in report.stderr + report.stdout
        assert "CTImage" in report.stderr + report.stdout  # it was recognized, not skipped
