"""Fingerprints depend on content, model and settings, and on nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813

from s3net_monai.inference.discovery.find_cases import Case
from s3net_monai.inference.run.fingerprint import fingerprint
from s3net_monai.utils.hashing import file_sha256

CONFIGURATION = {"model": {"sha256": "a"}, "settings": {"formats": ["nifti"]}}


def case(*paths: Path) -> Case:
    return Case(case_id="x", input=paths[0], image=paths, kind="dicom_series")


def test_sha256_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    # FIPS 180-4's own example.
    assert file_sha256(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_names_folders_and_times_do_not_count(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, names in ((first, ("1", "2")), (second, ("b", "a"))):
        folder.mkdir()
        for name, content in zip(names, (b"one", b"two"), strict=True):
            (folder / name).write_bytes(content)
    os.utime(first / "1", (0, 0))
    assert fingerprint(case(first), CONFIGURATION) == fingerprint(case(second), CONFIGURATION)
    assert fingerprint(case(first), CONFIGURATION) == fingerprint(case(first / "2", first / "1"), CONFIGURATION)


def test_content_model_and_settings_count(tmp_path: Path) -> None:
    file = tmp_path / "a.nii"
    file.write_bytes(b"one")
    before = fingerprint(case(file), CONFIGURATION)
    assert fingerprint(case(file), {**CONFIGURATION, "model": {"sha256": "b"}}) != before
    assert fingerprint(case(file), {**CONFIGURATION, "settings": {"formats": ["png"]}}) != before
    times = file.stat()
    file.write_bytes(b"two")
    os.utime(file, (times.st_atime, times.st_mtime))  # same size, same time, other content
    assert fingerprint(case(file), CONFIGURATION) != before


def test_an_added_file_counts(tmp_path: Path) -> None:
    (tmp_path / "1").write_bytes(b"one")
    before = fingerprint(case(tmp_path), CONFIGURATION)
    (tmp_path / "2").write_bytes(b"two")
    assert fingerprint(case(tmp_path), CONFIGURATION) != before


def test_the_voxels_of_a_detached_header_count(tmp_path: Path) -> None:
    for value in (1, 2):
        volume = sitk.GetImageFromArray(np.full((2, 3, 4), value, dtype=np.int16))
        (tmp_path / str(value)).mkdir()
        sitk.WriteImage(volume, tmp_path / str(value) / "a.mhd")
    first, second = (case(tmp_path / name / "a.mhd") for name in "12")
    assert (tmp_path / "1" / "a.mhd").read_bytes() == (tmp_path / "2" / "a.mhd").read_bytes()
    assert fingerprint(first, CONFIGURATION) != fingerprint(second, CONFIGURATION)
