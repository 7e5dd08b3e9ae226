"""Files are opened once: bounded before they are read, regular, and the same from the first byte to the last."""

from __future__ import annotations

import os
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
from PIL import Image

from s3net_monai.io import CaseError, Image2DReader, NiftiReader, VolumeReader, limits, upright_gray
from s3net_monai.io.dicom import series
from s3net_monai.io.dicom.series import load_series
from s3net_monai.io.file_bytes import open_file
from s3net_monai.io.label_maps.read_label import read_label
from tests.helpers.ct_series import SeriesMaker
from tests.helpers.dicom_tools import AFFINES, to_itk_image


def test_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    with open_file(tmp_path / "a", limit=3) as file:
        assert file.read() == b"abc"


def test_a_file_beyond_the_limit_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a").open("wb") as file:
        file.truncate(2**40)  # takes no space on disk
    with (
        pytest.raises(CaseError, match=r"^a: 1099511627776 bytes, beyond the limit of 34359738368; crop"),
        open_file(tmp_path / "a"),
    ):
        pytest.fail("it was opened")


def test_a_pipe_does_not_keep_the_program_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.nii")
    with pytest.raises(CaseError, match=r"^a\.nii: not a regular file"), open_file(tmp_path / "a.nii"):
        pytest.fail("it was opened")


@pytest.mark.parametrize("name", [".", "missing"])
def test_what_cannot_be_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(CaseError, match=r"not readable|not a regular file"), open_file(tmp_path / name):
        pytest.fail("it was opened")


@pytest.mark.parametrize("change", ["append", "overwrite"])
def test_a_file_that_is_still_being_written_is_refused(tmp_path: Path, change: str) -> None:
    path = tmp_path / "a.raw"
    path.write_bytes(bytes(10))
    os.utime(path, ns=(0, 0))

    def read_while_it_grows() -> None:
        with open_file(path) as file, path.open("ab" if change == "append" else "r+b") as writer:
            file.read()
            writer.write(b"1")
            writer.flush()

    with pytest.raises(CaseError, match=r"^a\.raw: changed while it was read; wait"):
        read_while_it_grows()


def test_a_file_that_is_exchanged_does_not_matter_to_whoever_has_opened_it(tmp_path: Path) -> None:
    path = tmp_path / "a.raw"
    path.write_bytes(b"first")
    (tmp_path / "b.raw").write_bytes(b"other")
    with open_file(path) as file:
        (tmp_path / "b.raw").replace(path)
        assert file.read() == b"first"


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha", ".png"])
def test_every_reader_has_the_limit(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / f"a{suffix}"
    array = np.random.default_rng(0).integers(0, 2, (60, 50, 4)).astype(np.uint8)
    if suffix.startswith(".nii"):
        nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), path)
    elif suffix == ".png":
        Image.fromarray(array[..., 0]).save(path)
    else:
        SimpleITK.WriteImage(to_itk_image(array, AFFINES["anisotropic"]), str(path))
    monkeypatch.setattr(limits, "MAX_FILE_BYTES", 100)
    monkeypatch.setattr(limits, "MAX_IMAGE_2D_BYTES", 100)
    readers = (Image2DReader(upright_gray), NiftiReader(), VolumeReader())
    reader = next(reader for reader in readers if reader.verify_suffix(path))
    with pytest.raises(CaseError, match="beyond the limit of 100"):
        reader.get_data(reader.read(path))
    with pytest.raises(CaseError, match="beyond the limit of 100"):
        read_label(path)


def test_a_slice_that_is_exchanged_between_header_and_pixels_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker = SeriesMaker(np.zeros((3, 64, 64), np.uint16))
    for number, dataset in enumerate(maker.slices):
        dataset.save_as(tmp_path / f"{number}.dcm", enforce_file_format=True)
    read_image = series.read_image

    def exchanged(file: Path) -> object:
        file.write_bytes(file.read_bytes())
        os.utime(file, ns=(0, 0))
        return read_image(file)

    load_series([tmp_path])
    monkeypatch.setattr(series, "read_image", exchanged)
    with pytest.raises(CaseError, match=r"\.dcm: changed while the series was read"):
        load_series([tmp_path])
