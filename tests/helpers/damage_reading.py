"""Slow plain code that reads damaged files as they are, independently of the package."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import nrrd
import numpy as np
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.multival import MultiValue
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from s3net_monai.utils.geometry import LPS_TO_RAS

HU, RED = -400.5, 127.5  # thresholds of the toy bundles of conftest
TO_RAS = {
    "left-posterior-superior": LPS_TO_RAS,
    "left-anterior-superior": np.diag([-1.0, 1.0, 1.0, 1.0]),
    "right-anterior-superior": np.eye(4),
}
META_TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_FLOAT": "f4",
}


@dataclass(frozen=True)
class Slice:
    """One slice according to its header: position in mm (LPS), and ``values`` [row][column] in HU, None for padding."""

    position: np.ndarray
    row: np.ndarray
    column: np.ndarray
    spacing: tuple[float, float]
    values: list[list[float | None]]


def foreground(image: Slice) -> np.ndarray:
    expected = np.zeros((len(image.values[0]), len(image.values)))
    for y, row in enumerate(image.values):
        for x, value in enumerate(row):
            if value is None:
                expected[x, y] = 1.0  # padding reads as air
            elif abs(value - HU) < 0.05:
                expected[x, y] = np.nan
            else:
                expected[x, y] = value < HU
    return expected


def _read(path: Path) -> Dataset:
    """Read a file, also one without preamble or file meta information."""
    dataset = dcmread(path, force=True)
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little = dataset.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    return dataset


def red_mask(path: Path) -> np.ndarray:
    dataset = _read(path)
    rows, columns, photometric = dataset.Rows, dataset.Columns, str(dataset.PhotometricInterpretation)
    expected = np.full((columns, rows), np.nan)
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        stream = get_frame(dataset.PixelData, 0, number_of_frames=1)
        if photometric.startswith("YBR"):
            with Image.open(io.BytesIO(stream)) as image:
                red = np.asarray(image.convert("RGB"))[..., 0].astype(float)
            expected = np.where(np.abs(red - RED) < 3, np.nan, red > RED).T
        return expected
    data, planar = dataset.PixelData, dataset.get("PlanarConfiguration", 0)
    if photometric == "RGB" and dataset.BitsAllocated == dataset.BitsStored == 8:
        for y in range(rows):
            for x in range(columns):
                red = data[y * columns + x] if planar else data[3 * (y * columns + x)]
                expected[x, y] = red > RED
    return expected


def read_slices(path: Path) -> Iterator[Slice]:
    dataset = _read(path)
    groups: list[list[Any]] = [[dataset]]
    if "PerFrameFunctionalGroupsSequence" in dataset:
        shared = list(dataset.get("SharedFunctionalGroupsSequence") or [])
        groups = [[group, *shared] for group in dataset.PerFrameFunctionalGroupsSequence]
    for number, (sources, stored) in enumerate(zip(groups, _stored(dataset, len(groups)), strict=True)):
        assert number < len(groups)
        orientation = _value(sources, "PlaneOrientationSequence", "ImageOrientationPatient")
        spacing = _value(sources, "PixelMeasuresSequence", "PixelSpacing")
        (slope,) = _value(sources, "PixelValueTransformationSequence", "RescaleSlope")
        (intercept,) = _value(sources, "PixelValueTransformationSequence", "RescaleIntercept")
        yield Slice(
            np.array(_value(sources, "PlanePositionSequence", "ImagePositionPatient")),
            np.array(orientation[:3]),
            np.array(orientation[3:]),
            (spacing[0], spacing[1]),
            [[None if _is_padding(value, dataset) else value * slope + intercept for value in row] for row in stored],
        )


def _value(sources: list[Any], macro: str, keyword: str) -> list[float]:
    for source in sources:
        item = source[macro].value[0] if macro in source else source
        if keyword in item:
            value = item[keyword].value
            return [float(number) for number in (value if isinstance(value, MultiValue) else [value])]
    raise AssertionError(f"a mask of a slice without {keyword}")


def _stored(dataset: Any, frames: int) -> list[list[list[int]]]:
    """Return stored values [frame][row][column] according to the header."""
    rows, columns, size = dataset.Rows, dataset.Columns, dataset.BitsAllocated // 8
    assert dataset.get("SamplesPerPixel", 1) == 1
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        raw = np.asarray(dataset.pixel_array).reshape(frames, rows, columns).tolist()
        return [[[_significant(value, dataset) for value in row] for row in frame] for frame in raw]
    order = "big" if dataset.file_meta.TransferSyntaxUID == ExplicitVRBigEndian else "little"
    data = dataset.PixelData
    assert len(data) in (frames * rows * columns * size, frames * rows * columns * size + 1)
    values = [int.from_bytes(data[i : i + size], order) for i in range(0, frames * rows * columns * size, size)]
    values = [_significant(value, dataset) for value in values]
    lines = [values[i : i + columns] for i in range(0, len(values), columns)]
    return [lines[i : i + rows] for i in range(0, len(lines), rows)]


def _significant(value: int, dataset: Any) -> int:
    """Return the low BitsStored bits, as two's complement if PixelRepresentation is 1."""
    bits = dataset.BitsStored
    value &= (1 << bits) - 1
    return value - (1 << bits) if dataset.PixelRepresentation and value >> (bits - 1) else value


def _is_padding(value: int, dataset: Any) -> bool:
    if dataset.get("PixelPaddingValue") is None:
        return False
    ends = [int(dataset.PixelPaddingValue)]
    if dataset.get("PixelPaddingRangeLimit") is not None:
        ends.append(int(dataset.PixelPaddingRangeLimit))
    ends = [_significant(end, dataset) for end in ends]
    return min(ends) <= value <= max(ends)


def read_volume(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read (X, Y, Z) in HU and the RAS+ affine of an NRRD, MetaImage or NIfTI file."""
    if path.suffix == ".nrrd":
        values, header = nrrd.read(str(path))
        affine = np.eye(4)
        affine[:3, :3] = np.array(header["space directions"]).T
        affine[:3, 3] = header.get("space origin", (0.0, 0.0, 0.0))
        return values, TO_RAS[header["space"].lower()] @ affine
    if path.suffix == ".mha":
        return _read_meta_image(path.read_bytes())
    image: Any = nib.load(path)
    return np.asarray(image.dataobj), image.affine


def _read_meta_image(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    fields: dict[str, str] = {}
    while "ElementDataFile" not in fields:
        line, _, data = data.partition(b"\n")
        name, _, value = line.decode("latin-1").partition("=")
        fields[name.strip()] = value.strip()
    if fields.get("CompressedData", "False")[:1] in "Tt1":
        data = zlib.decompress(data)
    order = ">" if fields.get("BinaryDataByteOrderMSB", fields.get("ElementByteOrderMSB", "F"))[:1] in "Tt1" else "<"
    size = [int(word) for word in fields["DimSize"].split()]
    values = np.frombuffer(data, order + META_TYPES[fields["ElementType"]], int(np.prod(size)))
    affine = np.eye(4)
    matrix = fields.get("TransformMatrix", fields.get("Rotation", fields.get("Orientation", "1 0 0 0 1 0 0 0 1")))
    spacing = fields.get("ElementSpacing", fields.get("ElementSize", "1 1 1"))
    origin = fields.get("Offset", fields.get("Origin", fields.get("Position", "0 0 0")))
    affine[:3, :3] = np.array(matrix.split(), float).reshape(3, 3).T * np.array(spacing.split(), float)
    affine[:3, 3] = np.array(origin.split(), float)
    return values.reshape(size, order="F"), LPS_TO_RAS @ affine
