"""Cases that this machine cannot hold are refused from their header; large pictures stay within a bound."""

from __future__ import annotations

import gzip
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from benchmarks.faults.large_images import measure
from s3net_monai.inference import find_cases
from s3net_monai.inference.run import memory_need
from s3net_monai.inference.run.memory_need import check_memory, machine_bytes, needed_bytes
from s3net_monai.inference.run.validate_input import check_input
from s3net_monai.io import CaseError
from s3net_monai.tasks import LUNG, SKIN

GIGABYTE = 10**9


@pytest.fixture
def small_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_need, "machine_bytes", lambda: 16.0 * GIGABYTE)


def write_large_nifti(path: Path) -> None:
    """Write the header of 2000x2000x500 voxels, and a stream that is long enough for them but holds other bytes."""
    header = nib.Nifti1Header()
    header.set_data_shape((2000, 2000, 500))
    header.set_data_dtype(np.uint8)
    header.set_sform(np.diag([0.5, 0.5, 2, 1]), 1)
    header.set_zooms((0.5, 0.5, 2))
    header["vox_offset"] = 352
    noise = np.random.default_rng(0).bytes(3 * 2**20)
    path.write_bytes(gzip.compress(header.binaryblock + b"\0" * 4 + noise, compresslevel=1))


@pytest.mark.usefixtures("small_machine")
def test_a_small_file_of_many_voxels_is_refused_by_its_header(tmp_path: Path) -> None:
    write_large_nifti(tmp_path / "a.nii.gz")
    (case,) = find_cases([tmp_path / "a.nii.gz"]).cases
    tracemalloc.start()
    try:
        with pytest.raises(CaseError, match=r"a\.nii\.gz: 2000x2000x500 voxels need about 32\.6 GB .* 16\.0"):
            check_input(case, LUNG)
        assert tracemalloc.get_traced_memory()[1] < 10 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("suffix", [".mha", ".nrrd"])
def test_other_volumes_are_refused_too(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import SimpleITK

    image = SimpleITK.Image([64, 48, 20], SimpleITK.sitkInt16)
    image.SetSpacing([5, 5, 5])
    SimpleITK.WriteImage(image, str(tmp_path / f"a{suffix}"))
    (case,) = find_cases([tmp_path / f"a{suffix}"]).cases
    check_input(case, LUNG)
    monkeypatch.setattr(memory_need, "machine_bytes", lambda: 1.0)
    with pytest.raises(CaseError, match=r"64x48x20 voxels need about 0\.6 GB"):
        check_input(case, LUNG)


def test_dicom_and_pictures_are_refused_too(
    series_maker: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (50, 40)).save(tmp_path / "a.png")
    series_maker(np.zeros((3, 5, 6), dtype=np.uint16)).save(tmp_path / "ct")
    (series,), (picture,) = find_cases([tmp_path / "ct"]).cases, find_cases([tmp_path / "a.png"]).cases
    monkeypatch.setattr(memory_need, "machine_bytes", lambda: 1.0)
    with pytest.raises(CaseError, match="6x5x3 voxels need about"):
        check_input(series, LUNG)
    with pytest.raises(CaseError, match="50x40 pixels need about"):
        check_input(picture, SKIN)


def test_the_need_is_that_of_the_maps_of_all_classes() -> None:
    voxels = 512 * 512 * 300
    assert needed_bytes((512, 512, 300), 1) == 600e6 + 16 * voxels
    assert needed_bytes((512, 512, 300), 3) == 600e6 + 40 * voxels


@pytest.mark.usefixtures("small_machine")
def test_what_fits_passes() -> None:
    check_memory("a.nii", (512, 512, 1500), 1)
    check_memory("a.png", (12000, 12000), 1)


def test_the_limit_of_a_container_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(memory_need, "CGROUP_LIMITS", (limit,))
    physical = machine_bytes()
    assert physical is not None
    assert physical > GIGABYTE
    limit.write_text("max\n")
    assert machine_bytes() == physical
    limit.write_text("1000000000\n")
    assert machine_bytes() == GIGABYTE


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "wait4"), reason="peak memory of a process is known on POSIX systems alone")
def test_a_picture_of_24_megapixels_takes_little_more_than_its_pixels(tmp_path: Path) -> None:
    measured = measure(tmp_path, {"skin": ((6000, 4000),)})
    assert measured["wrong"] == 0
    assert Image.open(tmp_path / "skin, 6000 x 4000" / "masks" / "picture_seg.png").size == (6000, 4000)
    # The largest of its processes; smoothed as a whole, the picture took 4.6 GB.
    assert measured["kinds"]["skin, 6000 x 4000"]["gigabytes"] < 1.2
