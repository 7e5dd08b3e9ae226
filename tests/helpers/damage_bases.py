"""Valid files to damage: the same bytes in every run, with identifiers that occur nowhere else."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import numpy as np
import SimpleITK
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.fileset import FileSet
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from tests.helpers.ct_series import SeriesMaker, ct_slice
from tests.helpers.dicom_tools import OBLIQUE, make_vl_image
from tests.helpers.enhanced_ct import enhanced_ct

ROOT_UID = "1.2.826.0.1.3680043.8.498.77"
IDENTIFIERS = {
    "PatientName": "ZEBRA^QUAGGA",
    "PatientID": "PIDMARK77",
    "AccessionNumber": "ACCMARK88",
    "PatientBirthDate": "19471103",
    "ReferringPhysicianName": "OKAPI^TAPIR",
    "InstitutionName": "LEMURCLINIC",
}
MARKERS = ("zebra", "quagga", "pidmark", "accmark", "19471103", "1947-11-03", "okapi", "tapir", "lemurclinic", ROOT_UID)

Files = dict[str, bytes]
Change = Callable[[Dataset], None]


def _noise(count: int, rows: int, columns: int, dtype: Any) -> np.ndarray:
    """Return stored values on both sides of the toy network's threshold."""
    low = -1400 if np.dtype(dtype).kind == "i" else 0
    return np.random.default_rng(count * rows).integers(low, low + 1300, (count, rows, columns)).astype(dtype)


def _file(dataset: Dataset, number: int, change: Change | None = None) -> bytes:
    for index, keyword in enumerate(("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")):
        setattr(dataset, keyword, f"{ROOT_UID}.{index}")
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"{ROOT_UID}.9.{number}"
    dataset.SeriesDescription, dataset.InstanceNumber, dataset.StudyID = "Thorax", number, "1"
    for keyword, value in IDENTIFIERS.items():
        setattr(dataset, keyword, value)
    if change:
        change(dataset)
    file = BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def _series(maker: SeriesMaker, change: Change | None = None) -> Files:
    """Save slices under names that do not follow their order."""
    return {f"{7 * n % 10}.dcm": _file(dataset, n, change) for n, dataset in enumerate(maker.slices, start=1)}


def _stored_as(syntax: UID) -> Change:
    def change(dataset: Dataset) -> None:
        dataset.file_meta.TransferSyntaxUID = syntax
        if syntax == ExplicitVRBigEndian:
            dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()

    return change


def _compressed(syntax: UID) -> Change:
    return lambda dataset: dataset.compress(syntax, generate_instance_uid=False)


def _encapsulated(dataset: Dataset, syntax: UID, stream: bytes) -> None:
    dataset.PixelData = encapsulate([stream])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = syntax


def _jpeg_lossless(dataset: Dataset) -> None:
    """Compress through ITK, the only library here that encodes lossless JPEG."""
    stored = np.frombuffer(dataset.PixelData, "<u2").reshape(1, dataset.Rows, dataset.Columns)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.dcm"
        writer = SimpleITK.ImageFileWriter()
        writer.SetFileName(str(path))
        writer.UseCompressionOn()
        writer.SetCompressor("JPEG")
        writer.Execute(SimpleITK.GetImageFromArray(stored))
        written = dcmread(path)
    _encapsulated(dataset, JPEGLosslessSV1, get_frame(written.PixelData, 0, number_of_frames=1))


def _padded(dataset: Dataset) -> None:
    dataset.BitsStored, dataset.HighBit, dataset.PixelPaddingValue = 12, 11, -1400
    dataset.RescaleSlope, dataset.RescaleIntercept = "1.5", str(500 + int(dataset.InstanceNumber))


def _vl_image(change: Change | None = None) -> Files:
    dataset = ct_slice(np.zeros((9, 7), np.uint16), np.zeros(3))
    dataset.ImageOrientationPatient, dataset.PixelSpacing = [1, 0, 0, 0, 1, 0], [1, 1]
    dataset.SliceThickness, dataset.FrameOfReferenceUID = 1, ROOT_UID
    pixels = np.random.default_rng(3).integers(0, 256, (9, 7, 3)).astype(np.uint8)
    return {"photo.dcm": _file(make_vl_image(dataset, PixelData=pixels.tobytes() + b"\0"), 1, change)}


def _jpeg(dataset: Dataset) -> None:
    """Compress with sub-sampled colors, as cameras do."""
    pixels = np.frombuffer(dataset.PixelData[:-1], np.uint8).reshape(9, 7, 3)
    stream = BytesIO()
    Image.fromarray(np.kron(pixels, np.ones((8, 8, 1), np.uint8))).save(stream, "JPEG", quality=95)
    dataset.Rows, dataset.Columns, dataset.PhotometricInterpretation = 72, 56, "YBR_FULL_422"
    _encapsulated(dataset, JPEGBaseline8Bit, stream.getvalue())


def _enhanced() -> Files:
    stored, rescale = _noise(4, 6, 8, np.uint16), [(1, -1024), (2, -1500), (1.5, -1200), (1, -1000)]
    return {"volume.dcm": _file(enhanced_ct(stored, pixel_spacing=(0.7, 0.9), order=(2, 0, 3, 1), rescale=rescale), 1)}


def _volume(suffix: str, deflated: bool = False) -> Files:
    """Save one volume in HU with an oblique affine."""
    image = SimpleITK.GetImageFromArray(_noise(4, 6, 5, np.int16))
    image.SetSpacing((0.8, 1.1, 2.5))
    image.SetOrigin((-10.0, 20.0, 30.0))
    image.SetDirection((0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"volume{suffix}"
        SimpleITK.WriteImage(image, str(path), deflated)
        data = path.read_bytes()
    if suffix == ".nii" and deflated:
        return {"volume.nii.gz": gzip.compress(data, mtime=0)}
    return {path.name: data}


def _zipped() -> Files:
    file = BytesIO()
    with ZipFile(file, "w", ZIP_DEFLATED) as archive:
        for name, data in base("axial").items():
            archive.writestr(ZipInfo(f"study/{name}"), data, ZIP_DEFLATED)
    return {"study.zip": file.getvalue()}


def _disc() -> Files:
    """Write the axial series to a disc with a DICOMDIR."""
    files = FileSet()
    files.UID = f"{ROOT_UID}.5"
    with tempfile.TemporaryDirectory() as folder:
        for name, data in base("axial").items():
            (Path(folder) / name).write_bytes(data)
            files.add(Path(folder) / name)
        root = Path(folder) / "cd"
        files.write(root)
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


BASES: dict[str, Callable[[], Files]] = {
    "axial": lambda: _series(SeriesMaker(_noise(5, 8, 10, np.uint16))),
    "oblique": lambda: _series(
        SeriesMaker(_noise(4, 7, 9, np.int16), orientation=OBLIQUE, pixel_spacing=(0.8, 1.1), step=-1.5), _padded
    ),
    "enhanced": _enhanced,
    "VL image": _vl_image,
    "implicit": lambda: _series(SeriesMaker(_noise(4, 6, 5, np.uint16)), _stored_as(ImplicitVRLittleEndian)),
    "big endian": lambda: _series(SeriesMaker(_noise(4, 6, 5, np.uint16)), _stored_as(ExplicitVRBigEndian)),
    "deflated": lambda: _series(SeriesMaker(_noise(4, 6, 5, np.uint16)), _stored_as(DeflatedExplicitVRLittleEndian)),
    "RLE": lambda: _series(SeriesMaker(_noise(3, 6, 8, np.uint16)), _compressed(RLELossless)),
    "JPEG-LS": lambda: _series(SeriesMaker(_noise(3, 6, 8, np.uint16)), _compressed(JPEGLSLossless)),
    "JPEG 2000": lambda: _series(SeriesMaker(_noise(3, 32, 40, np.uint16)), _compressed(JPEG2000Lossless)),
    "JPEG lossless": lambda: _series(SeriesMaker(_noise(3, 6, 8, np.uint16)), _jpeg_lossless),
    "JPEG VL image": lambda: _vl_image(_jpeg),
    "NRRD": lambda: _volume(".nrrd"),
    "MetaImage": lambda: _volume(".mha"),
    "NIfTI": lambda: _volume(".nii"),
    "deflated NRRD": lambda: _volume(".nrrd", deflated=True),
    "deflated MetaImage": lambda: _volume(".mha", deflated=True),
    "deflated NIfTI": lambda: _volume(".nii", deflated=True),
    "zip": _zipped,
    "DICOMDIR": _disc,
}
SERIES = ("axial", "oblique", "enhanced", "implicit", "big endian", "deflated")
VL_IMAGES = ("VL image", "JPEG VL image")
COMPRESSED = ("RLE", "JPEG-LS", "JPEG 2000", "JPEG lossless", "JPEG VL image")
VOLUMES = ("NRRD", "MetaImage", "NIfTI", "deflated NRRD", "deflated MetaImage")
CHECKED = ("deflated NIfTI", "zip")  # with a checksum that reveals all damage
PLAIN = ("axial", "oblique", "enhanced", "VL image")  # explicit little endian, not compressed


@cache
def base(name: str) -> Files:
    """Return the valid files of this name, by file name; never change them."""
    return BASES[name]()
