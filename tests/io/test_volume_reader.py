"""NRRD and MetaImage: the same volume as SimpleITK and nibabel read, and refusals with the reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
from monai.transforms import LoadImage

from s3net_monai.io import CaseError
from s3net_monai.io.volume_reader import VolumeReader, load_volume
from s3net_monai.utils.geometry import LPS_TO_RAS
from tests.helpers.dicom_tools import AFFINES, to_itk_image

SUFFIXES = (".nrrd", ".nhdr", ".mha", ".mhd")


def shifted(affine: np.ndarray) -> np.ndarray:
    """Return the affine with an origin of its own."""
    affine = affine.copy()
    affine[:3, 3] = (11.0, -22.0, 33.0)
    return affine


OBLIQUE = shifted(AFFINES["15 degrees"])
ANISOTROPIC = shifted(AFFINES["anisotropic"])
AXES_OF_LPS = shifted(LPS_TO_RAS)


@pytest.fixture
def ramp() -> np.ndarray:
    """(X 4, Y 5, Z 6) int16: every value differs."""
    return np.arange(120, dtype=np.int16).reshape(4, 5, 6) - 60


@pytest.fixture
def save(tmp_path: Path, ramp: np.ndarray) -> Callable[..., Path]:
    def _save(suffix: str, affine: np.ndarray | None = None, compress: bool = False) -> Path:
        path = tmp_path / f"volume{suffix}"
        image = to_itk_image(ramp, ANISOTROPIC if affine is None else affine)
        SimpleITK.WriteImage(image, str(path), useCompression=compress)
        return path

    return _save


@pytest.mark.parametrize("geometry", AFFINES)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_volume_equals_nifti(
    save: Callable[..., Path], ramp: np.ndarray, tmp_path: Path, suffix: str, geometry: str
) -> None:
    affine = shifted(AFFINES[geometry])
    array, loaded_affine, _ = load_volume(save(suffix, affine))
    np.testing.assert_array_equal(array, ramp)
    np.testing.assert_allclose(loaded_affine, affine, atol=1e-5)
    SimpleITK.WriteImage(to_itk_image(ramp, affine), str(tmp_path / "same.nii.gz"))
    same = nibabel.load(tmp_path / "same.nii.gz")
    np.testing.assert_allclose(loaded_affine, same.affine, atol=1e-5)
    np.testing.assert_array_equal(array, np.asarray(same.dataobj))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_monai_loads_it_by_name(save: Callable[..., Path], ramp: np.ndarray, suffix: str) -> None:
    image = LoadImage(reader=["NibabelReader", VolumeReader()], image_only=True)(save(suffix, compress=True))
    np.testing.assert_array_equal(image.numpy(), ramp)
    np.testing.assert_allclose(image.affine.numpy(), ANISOTROPIC, atol=1e-5)
    np.testing.assert_allclose(image.meta["original_affine"], ANISOTROPIC, atol=1e-5)
    assert tuple(image.meta["spatial_shape"]) == ramp.shape


def test_space_ras_of_nrrd_is_understood(save: Callable[..., Path]) -> None:
    path = save(".nrrd", AXES_OF_LPS)
    text = path.read_bytes().replace(b"left-posterior-superior", b"right-anterior-superior")
    path.write_bytes(text)
    affine = load_volume(path)[1]
    np.testing.assert_allclose(affine[:3, :3], np.eye(3), atol=1e-6)
    np.testing.assert_allclose(affine[:3, 3], [-11.0, 22.0, 33.0], atol=1e-6)


def test_a_single_slice_is_a_volume(tmp_path: Path) -> None:
    array = np.arange(20, dtype=np.int16).reshape(4, 5, 1)
    SimpleITK.WriteImage(to_itk_image(array, OBLIQUE), str(tmp_path / "a.mha"))
    np.testing.assert_array_equal(load_volume(tmp_path / "a.mha")[0], array)


def test_fields_that_itk_carries_over_are_accepted(tmp_path: Path) -> None:
    """SimpleITK writes fields of the source format into the MetaImage: dim[0], 0008|0060."""
    array = np.arange(24, dtype=np.int16).reshape(4, 3, 2)
    SimpleITK.WriteImage(to_itk_image(array, OBLIQUE), str(tmp_path / "a.nii.gz"))
    image = SimpleITK.ReadImage(str(tmp_path / "a.nii.gz"))
    assert "dim[0]" in image.GetMetaDataKeys()
    image.SetMetaData("0008|0060", "CT")
    SimpleITK.WriteImage(image, str(tmp_path / "a.mha"))
    assert b"0008|0060 = CT" in (tmp_path / "a.mha").read_bytes()
    np.testing.assert_array_equal(load_volume(tmp_path / "a.mha")[0], array)


def test_other_formats_are_left_to_other_readers(tmp_path: Path) -> None:
    reader = VolumeReader()
    assert not reader.verify_suffix("a.nii.gz")
    assert not reader.verify_suffix(["a.nrrd", "b.nii"])
    assert reader.verify_suffix(["a.NRRD"])
    with pytest.raises(ValueError, match="not an NRRD or MetaImage"):
        reader.read(tmp_path / "a.png")


def test_bad_volume_ends_the_load_with_the_reason(save: Callable[..., Path]) -> None:
    path = save(".mha")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CaseError, match=r"volume\.mha: damaged header"):
        LoadImage(reader=VolumeReader(), image_only=True)(path)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
@pytest.mark.parametrize(("compress", "cut"), [(False, True), (True, True), (True, False)])
def test_damaged_voxels_are_refused(save: Callable[..., Path], suffix: str, compress: bool, cut: bool) -> None:
    path = save(suffix, compress=compress)
    content = path.read_bytes()
    path.write_bytes(content[:-20] if cut else content[:-60] + bytes(255 - b for b in content[-60:-10]) + content[-10:])
    with pytest.raises(CaseError, match="volume"):
        load_volume(path)


@pytest.mark.parametrize(
    ("suffix", "old", "new", "message"),
    [
        (".mha", "TransformMatrix = ", "TransformMatrix = 0 ", "TransformMatrix has not 9 values"),
        (".mha", "DimSize = 4 5 6", "DimSize = 4 5", "DimSize has not 3 values"),
        (".mha", "DimSize = 4 5 6", "DimSize = 4 5 -6", "no usable sizes"),
        (".mha", "DimSize = 4 5 6", "DimSize = 4096 4096 4096", "beyond the limit"),
        (".mha", "MET_SHORT", "MET_NONE", "voxel type 'MET_NONE'"),
        (".mha", "ElementType", "ElementNumberOfChannels = 3\nElementType", "several components per voxel"),
        (".mha", "ElementDataFile = LOCAL", "elementdatafile = LOCAL", "no ElementDataFile"),
        (".mha", "ElementDataFile = LOCAL", "ElementDataFile = LIST", "several files"),
        (".mha", "ElementDataFile = LOCAL", "ElementDataFile = s%03d.raw 1 6 1", "several files"),
        (".nrrd", "sizes: 4 5 6", "sizes: 4 5", "a 3-D volume expected"),
        (".nrrd", "sizes: 4 5 6", "sizes: 3 4 5 2", "has 4 axes, one 3-D volume expected"),
        (".nrrd", "sizes: 4 5 6", "sizes: 4096 4096 4096", "beyond the limit"),
        (".nrrd", "sizes: 4 5 6", "sizes: 4 5 6000", "cut off"),
        (".nrrd", "sizes: 4 5 6", "sizes: 4 5 5", "240 bytes of voxels found, 200 expected"),
        (".mha", "DimSize = 4 5 6", "DimSize = 4 5 5", "240 bytes of voxels found, 200 expected"),
        (".mhd", "DimSize = 4 5 6", "DimSize = 4 5 5", "240 bytes of voxels found, 200 expected"),
        (".nrrd", "type: short", "type: short\n\x9a: 1", "a line that is not a field"),
        (".nrrd", "space: left-posterior-superior", "space: scanner-xyz", "does not refer to the patient's sides"),
        (".nrrd", "space directions: (", "space directions: none (", "an axis without space direction"),
        (".nrrd", "space origin: (", "space origin: (-10space origin: (", "'space origin' is not a list of vectors"),
        (".nrrd", "space origin: (", "space origin: (x", "'space origin' has a vector that is not of numbers"),
        (".nrrd", "space origin: (", "space origin: (nan,", "'space origin' has a vector that is not of numbers"),
        (".nrrd", "space directions: (", "space directions: 7 (", "'space directions' is not a list of vectors"),
        (".nrrd", "type: short", "type: block", "voxel type 'block'"),
        (".nrrd", "type: short", "type short", "a line that is not a field"),
        (".nrrd", "type: short", "type: short\nTYPE: short", "field 'type'"),
    ],
)
def test_headers_are_refused_with_the_reason(
    save: Callable[..., Path], suffix: str, old: str, new: str, message: str
) -> None:
    path = save(suffix)
    content = path.read_bytes()
    assert old.encode() in content
    path.write_bytes(content.replace(old.encode(), new.encode()))
    with pytest.raises(CaseError, match=message) as refusal:
        load_volume(path)
    assert str(refusal.value).startswith(path.name)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
@pytest.mark.parametrize("value", ["0 0 0", "0 2 0"])
def test_singular_directions_are_refused(save: Callable[..., Path], suffix: str, value: str) -> None:
    path = save(suffix, AXES_OF_LPS)
    first = f"({value.replace(' ', ',')})" if suffix == ".nrrd" else value
    content = path.read_bytes().replace(b"(1,0,0)" if suffix == ".nrrd" else b"Matrix = 1 0 0", b"@")
    path.write_bytes(content.replace(b"@", first.encode() if suffix == ".nrrd" else b"Matrix = " + first.encode()))
    with pytest.raises(CaseError, match=r"not invertible|voxel size 0x1x1 found"):
        load_volume(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_color_is_refused(tmp_path: Path, suffix: str) -> None:
    image = SimpleITK.GetImageFromArray(np.zeros((6, 5, 4, 3), dtype=np.uint8), isVector=True)
    SimpleITK.WriteImage(image, str(tmp_path / f"a{suffix}"))
    with pytest.raises(CaseError, match="components"):
        load_volume(tmp_path / f"a{suffix}")


@pytest.mark.parametrize(("suffix", "field"), [(".nhdr", "data file: "), (".mhd", "ElementDataFile = ")])
@pytest.mark.parametrize("target", ["absolute", "../secret.raw", "sub/../../secret.raw", "link", "..", "-", "gone.raw"])
def test_data_files_elsewhere_are_refused(
    save: Callable[..., Path], tmp_path: Path, suffix: str, field: str, target: str
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    secret = tmp_path / "secret.raw"
    secret.write_bytes(bytes(240))
    name = str(secret) if target == "absolute" else target
    if target == "link":
        (folder / "link").symlink_to(secret)
    path = save(suffix)
    text = path.read_text().replace(f"{field}volume.raw", field + name)
    assert name in text
    (folder / path.name).write_text(text)
    with pytest.raises(CaseError, match=r"outside its own folder|a link out of its folder|is not beside it"):
        load_volume(folder / path.name)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_a_wrong_trailer_of_deflated_voxels_is_refused(save: Callable[..., Path], suffix: str) -> None:
    path = save(suffix, compress=True)
    content = bytearray(path.read_bytes())
    content[-2] ^= 1  # gzip ends with the length, zlib with a checksum
    path.write_bytes(content)
    with pytest.raises(CaseError, match="damaged or cut off"):
        load_volume(path)
