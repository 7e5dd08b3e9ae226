"""VL images: the same array as from a PNG of the image, converted to RGB exactly once."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from monai.bundle import ConfigParser
from monai.data import DataLoader, decollate_batch
from monai.data import Dataset as Items
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import convert_color_space
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from s3net_monai.io import CaseError
from s3net_monai.io.dicom.vl_image import load_vl_image

VL_PHOTOGRAPHY = "1.2.840.10008.5.1.4.1.1.77.1.4"
DERMOSCOPY = "1.2.840.10008.5.1.4.1.1.77.1.7"
CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
MULTI_FRAME_CAPTURE = "1.2.840.10008.5.1.4.1.1.7.4"

# (rows 4, columns 6): corners of the color cube and skin, none equal after a swap of axes or channels.
COLORS = np.array(
    [
        [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [0, 255, 255], [255, 0, 255]],
        [[0, 0, 0], [255, 255, 255], [128, 128, 128], [200, 150, 120], [90, 60, 40], [30, 20, 10]],
        [[200, 0, 0], [180, 20, 40], [160, 40, 80], [140, 60, 120], [120, 80, 160], [100, 100, 200]],
        [[1, 2, 3], [10, 20, 30], [40, 50, 60], [70, 80, 90], [110, 120, 130], [210, 220, 230]],
    ],
    dtype=np.uint8,
)
SMOOTH = np.repeat(np.repeat(COLORS, 16, axis=0), 16, axis=1)  # blocks that JPEG's own sub-sampling preserves


def make_vl_image(pixels: np.ndarray = COLORS, photometric: str = "RGB", **tags: Any) -> Dataset:
    """Create a dermoscopy object from (rows, columns[, 3]) as stored."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = DERMOSCOPY
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.Modality, dataset.ImageType = "DMS", ["ORIGINAL", "PRIMARY"]
    dataset.Rows, dataset.Columns = pixels.shape[:2]
    dataset.SamplesPerPixel = 3 if pixels.ndim == 3 else 1
    dataset.PhotometricInterpretation = photometric
    if dataset.SamplesPerPixel == 3:
        dataset.PlanarConfiguration = 0
    bits = 8 * pixels.dtype.itemsize
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = bits, bits, bits - 1, 0
    dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OB" if bits == 8 else "OW"
    for keyword, value in tags.items():
        setattr(dataset, keyword, value)
    return dataset


def _encapsulated(dataset: Dataset, syntax: UID, stream: bytes) -> Dataset:
    dataset.PixelData = encapsulate([stream])
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = syntax
    return dataset


def _save(dataset: Dataset, path: Path) -> Path:
    dataset.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture
def load() -> Callable[[Path], Any]:
    """The loading transforms of the skin bundle."""
    parser = ConfigParser(
        {
            "imports": ["$from s3net_monai.io import upright_rgb"],
            "load": {
                "_target_": "Compose",
                "transforms": [
                    {
                        "_target_": "LoadImaged",
                        "keys": "image",
                        "reader": [
                            {"_target_": "PILReader", "converter": "$upright_rgb"},
                            {"_target_": "s3net_monai.io.DicomVLImageReader"},
                        ],
                    },
                    {"_target_": "EnsureChannelFirstd", "keys": "image"},
                ],
            },
        }
    )
    return parser.get_parsed_content("load")


def test_array_is_that_of_a_png(load: Any, tmp_path: Path) -> None:
    Image.fromarray(COLORS).save(tmp_path / "a.png")
    expected = load({"image": str(tmp_path / "a.png")})["image"]
    loaded = load({"image": str(_save(make_vl_image(), tmp_path / "a.dcm"))})["image"]
    assert loaded.shape == (3, 6, 4)
    np.testing.assert_array_equal(loaded, expected)
    np.testing.assert_array_equal(loaded.affine, expected.affine)
    np.testing.assert_array_equal(loaded.meta["spatial_shape"], expected.meta["spatial_shape"])


def test_masks_lie_on_columns_and_rows(load: Any, tmp_path: Path) -> None:
    image = load({"image": str(_save(make_vl_image(), tmp_path / "no_suffix"))})["image"]
    red, green, blue = np.asarray(image)[:, 5, 2]  # column 5, row 2
    assert (red, green, blue) == (100, 100, 200)


@pytest.mark.parametrize("storage", [VL_PHOTOGRAPHY, DERMOSCOPY, CAPTURE, MULTI_FRAME_CAPTURE])
def test_sop_classes(tmp_path: Path, storage: str) -> None:
    dataset = make_vl_image(NumberOfFrames=1)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = storage
    rgb, spacing = load_vl_image(_save(dataset, tmp_path / "a.dcm"))
    np.testing.assert_array_equal(rgb, COLORS.transpose(1, 0, 2))
    assert rgb.dtype == np.uint8
    assert spacing is None


def _planes(**tags: Any) -> Dataset:
    return make_vl_image(PlanarConfiguration=1, PixelData=COLORS.transpose(2, 0, 1).tobytes(), **tags)


def _big_endian() -> Dataset:
    dataset = make_vl_image()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    return dataset


def _compressed(syntax: UID) -> Callable[[], Dataset]:
    def make() -> Dataset:
        dataset = make_vl_image(SMOOTH) if syntax == JPEG2000Lossless else make_vl_image()
        dataset.compress(syntax)
        return dataset

    return make


@pytest.mark.parametrize(
    "make",
    [_planes, _big_endian, *(_compressed(syntax) for syntax in (RLELossless, JPEGLSLossless, JPEG2000Lossless))],
    ids=["planes", "big-endian", "rle", "jpeg-ls", "jpeg-2000"],
)
def test_lossless_colors_are_exact(tmp_path: Path, make: Callable[[], Dataset]) -> None:
    dataset = make()
    expected = COLORS if dataset.Rows == 4 else SMOOTH
    rgb, _ = load_vl_image(_save(dataset, tmp_path / "a.dcm"))
    np.testing.assert_array_equal(rgb, expected.transpose(1, 0, 2))


@pytest.mark.parametrize("planes", [False, True])
def test_ybr_is_converted_once(tmp_path: Path, planes: bool) -> None:
    ybr = convert_color_space(COLORS, "RGB", "YBR_FULL")
    assert np.abs(ybr.astype(int) - COLORS).max() > 50
    dataset = make_vl_image(ybr, "YBR_FULL")
    if planes:
        dataset.PlanarConfiguration, dataset.PixelData = 1, ybr.transpose(2, 0, 1).tobytes()
    rgb, _ = load_vl_image(_save(dataset, tmp_path / "a.dcm"))
    np.testing.assert_allclose(rgb.astype(int), COLORS.transpose(1, 0, 2), atol=2)


def test_uncompressed_sub_sampled_ybr(tmp_path: Path) -> None:
    pairs = np.repeat(COLORS[:, ::2], 2, axis=1)
    ybr = convert_color_space(pairs, "RGB", "YBR_FULL").reshape(-1, 2, 3)
    stored = np.column_stack([ybr[:, 0, 0], ybr[:, 1, 0], ybr[:, 0, 1], ybr[:, 0, 2]])
    dataset = make_vl_image(pairs, "YBR_FULL_422", PixelData=stored.tobytes())
    rgb, _ = load_vl_image(_save(dataset, tmp_path / "a.dcm"))
    np.testing.assert_allclose(rgb.astype(int), pairs.transpose(1, 0, 2), atol=2)


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("photometric", ["YBR_FULL_422", "YBR_FULL", "RGB"])
def test_jpeg_is_converted_once_for_any_header(tmp_path: Path, photometric: str, subsampling: int) -> None:
    stream = io.BytesIO()
    Image.fromarray(SMOOTH).save(stream, "JPEG", quality=100, subsampling=subsampling)
    dataset = _encapsulated(make_vl_image(SMOOTH, photometric), JPEGBaseline8Bit, stream.getvalue())
    rgb, _ = load_vl_image(_save(dataset, tmp_path / "a.dcm"))
    assert rgb.shape == (96, 64, 3)
    expected = np.asarray(Image.open(stream).convert("RGB")).astype(int)
    np.testing.assert_allclose(rgb.astype(int), expected.transpose(1, 0, 2), atol=2)
    np.testing.assert_allclose(rgb[4::16, 8::16].astype(int), COLORS.transpose(1, 0, 2), atol=4)


@pytest.mark.parametrize("bits", [8, 16])
def test_palette(tmp_path: Path, bits: int) -> None:
    indices = np.array([[0, 1, 2], [2, 1, 0]], dtype=np.uint8)
    tables = {"Red": [10, 200, 30, 1], "Green": [40, 50, 250, 2], "Blue": [70, 80, 90, 3]}
    dataset = make_vl_image(indices, "PALETTE COLOR")
    for color, values in tables.items():
        dataset.add_new(f"{color}PaletteColorLookupTableDescriptor", "US", [4, 0, bits])
        entries = np.array(values, dtype="u1" if bits == 8 else "<u2") * (1 if bits == 8 else 257)
        dataset.add_new(f"{color}PaletteColorLookupTableData", "OW", entries.tobytes())
    rgb, _ = load_vl_image(_save(dataset, tmp_path / "a.dcm"))
    expected = np.array(list(tables.values()), dtype=np.uint8).T[indices]
    np.testing.assert_array_equal(rgb, expected.transpose(1, 0, 2))


def test_gray_is_repeated_and_monochrome1_inverted(tmp_path: Path) -> None:
    gray = np.array([[0, 100], [200, 255]], dtype=np.uint8)
    rgb, _ = load_vl_image(_save(make_vl_image(gray, "MONOCHROME2"), tmp_path / "a.dcm"))
    np.testing.assert_array_equal(rgb, np.stack([gray.T] * 3, axis=-1))
    rgb, _ = load_vl_image(_save(make_vl_image(gray, "MONOCHROME1"), tmp_path / "b.dcm"))
    np.testing.assert_array_equal(rgb[:, :, 0].T, [[255, 155], [55, 0]])


def test_sixteen_bits_become_eight(tmp_path: Path) -> None:
    sixteen_bits = COLORS.astype(np.uint16) * 257
    rgb, _ = load_vl_image(_save(make_vl_image(sixteen_bits), tmp_path / "a.dcm"))
    np.testing.assert_array_equal(rgb, COLORS.transpose(1, 0, 2))
    gray = np.array([[1000, 2000], [3000, 6100]], dtype=np.uint16)
    rgb, _ = load_vl_image(_save(make_vl_image(gray, "MONOCHROME2"), tmp_path / "b.dcm"))
    np.testing.assert_array_equal(rgb[:, :, 0].T, [[0, 50], [100, 255]])


def test_spacing_where_the_file_states_one(load: Any, tmp_path: Path) -> None:
    path = _save(make_vl_image(PixelSpacing=[0.05, 0.04]), tmp_path / "a.dcm")
    batch = next(iter(DataLoader(Items([{"image": str(path)}], transform=load), batch_size=1)))
    (item,) = decollate_batch(batch)
    assert [float(value) for value in item["image"].meta["spacing"]] == [0.05, 0.04]
    scanned = _save(make_vl_image(NominalScannedPixelSpacing=[0.1, 0.1], ImagerPixelSpacing=[0.2, 0.2]), tmp_path / "b")
    assert load_vl_image(scanned)[1] is None
    assert "spacing" not in load({"image": str(scanned)})["image"].meta


def _cut_jpeg() -> Dataset:
    stream = io.BytesIO()
    Image.fromarray(SMOOTH).save(stream, "JPEG", quality=100)
    return _encapsulated(make_vl_image(SMOOTH, "YBR_FULL_422"), JPEGBaseline8Bit, stream.getvalue()[:-200])


def _without_pixels() -> Dataset:
    dataset = make_vl_image()
    del dataset.PixelData
    return dataset


def _without_table() -> Dataset:
    return make_vl_image(COLORS[:, :, 0].copy(), "PALETTE COLOR")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: make_vl_image(NumberOfFrames=2, PixelData=COLORS.tobytes() * 2), "several frames: a.dcm has 2"),
        (lambda: make_vl_image(SOPClassUID="1.2.840.10008.5.1.4.1.1.2"), "a.dcm: not a VL image but CT Image Storage"),
        (lambda: make_vl_image(photometric="YBR_PARTIAL_420"), "a.dcm: YBR_PARTIAL_420 of 3 samples"),
        (lambda: make_vl_image(photometric="YBR_ICT"), "a.dcm: YBR_ICT without JPEG 2000"),
        (lambda: make_vl_image(photometric="MONOCHROME2"), "a.dcm: MONOCHROME2 of 3 samples"),
        (lambda: make_vl_image(PixelRepresentation=1), "a.dcm: colors with a sign"),
        (lambda: make_vl_image(Rows=0), "no pixel data: a.dcm has 0x6 pixels"),
        (lambda: make_vl_image(Rows=60000, Columns=60000), "a.dcm: 60000x60000 pixels, beyond the limit"),
        (lambda: make_vl_image(Rows=8), "a.dcm: pixel data truncated"),
        (lambda: make_vl_image(Rows=2), "a.dcm: pixel data too long"),
        (lambda: make_vl_image(PixelSpacing=[0, 1]), "a.dcm: PixelSpacing [0.0, 1.0] must be positive"),
        (_without_pixels, "no pixel data: a.dcm"),
        (_without_table, "a.dcm: its palette is not usable"),
        (_cut_jpeg, "a.dcm: pixel data truncated, its codestream has no end"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_bad_vl_images_are_refused_with_the_reason(
    load: Any, tmp_path: Path, make: Callable[[], Dataset], reason: str
) -> None:
    path = _save(make(), tmp_path / "a.dcm")
    with pytest.raises(CaseError) as caught:
        load_vl_image(path)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(RuntimeError, match="applying transform") as load_error:
        load({"image": str(path)})
    causes: list[BaseException] = [load_error.value]
    while causes[-1].__cause__ is not None:
        causes.append(causes[-1].__cause__)
    assert any(isinstance(cause, CaseError) for cause in causes)


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEG2000Lossless, JPEGLSLossless, RLELossless])
def test_planar_configuration_of_compressed_colors_is_ignored(tmp_path: Path, syntax: UID) -> None:
    dataset = make_vl_image(SMOOTH)
    if syntax == JPEGBaseline8Bit:
        stream = io.BytesIO()
        Image.fromarray(SMOOTH).save(stream, "JPEG", quality=95)
        dataset = _encapsulated(dataset, syntax, stream.getvalue())
        dataset.PhotometricInterpretation = "YBR_FULL_422"
    else:
        dataset.compress(syntax)
    expected, _ = load_vl_image(_save(dataset, tmp_path / "a.dcm"))
    assert np.abs(expected.transpose(1, 0, 2).astype(int) - SMOOTH).mean() < 4
    for planar in (0, 1):
        dataset.PlanarConfiguration = planar
        np.testing.assert_array_equal(load_vl_image(_save(dataset, tmp_path / "b.dcm"))[0], expected)
