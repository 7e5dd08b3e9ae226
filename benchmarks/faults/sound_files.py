"""Small sound files of every format that is read, to be damaged: the same bytes in every run."""

from __future__ import annotations

import gzip
import re
import tempfile
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import nibabel
import numpy as np
import pydicom
import SimpleITK
from PIL import Image
from pydicom import Dataset, FileMetaDataset
from pydicom.fileset import FileSet
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

Files = dict[str, bytes]
UID = "1.2.826.0.1.3680043.8.498.22"
SHAPE = (40, 32, 12)
SPACING = (1.5, 2.0, 5.0)
ORIGIN = (-30.0, 20.0, 40.0)
CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
PHOTO = "1.2.840.10008.5.1.4.1.1.77.1.4"


def voxels(dtype: Any = np.int16) -> np.ndarray:
    """Return (X, Y, Z) of low noise on a ramp, which compresses as images do."""
    noise = np.random.default_rng(22).integers(0, 12, SHAPE)
    return (noise + np.arange(SHAPE[0])[:, None, None] * 2).astype(dtype)


def labels() -> np.ndarray:
    """Return (X, Y, Z) of two values."""
    return (voxels() > 60).astype(np.uint8)


def nifti(name: str, *, codes: tuple[int, int] = (1, 1), array: np.ndarray | None = None) -> Files:
    """Return a volume as NIfTI, with the codes of its sform and qform."""
    affine = np.diag([-SPACING[0], -SPACING[1], SPACING[2], 1.0])
    affine[:3, 3] = ORIGIN
    image = nibabel.Nifti1Image(voxels() if array is None else array, affine)
    image.set_sform(affine, codes[0])
    image.set_qform(affine, codes[1])
    data = bytes(image.to_bytes())
    return {name: gzip.compress(data, mtime=0) if name.endswith(".gz") else data}


def itk_volume(name: str, *, compress: bool = False, array: np.ndarray | None = None) -> Files:
    """Return a volume as ITK writes it: one file, or a header with a file of voxels."""
    image = SimpleITK.GetImageFromArray((voxels() if array is None else array).transpose(2, 1, 0))
    image.SetSpacing(SPACING)
    image.SetOrigin(ORIGIN)
    with tempfile.TemporaryDirectory() as folder:
        SimpleITK.WriteImage(image, str(Path(folder) / name), compress)
        return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


def segmentation() -> Files:
    """Return a label as 3D Slicer stores it."""
    name = "label.seg.nrrd"
    import slicerio

    matrix = np.diag([*SPACING, 1.0])
    matrix[:3, 3] = ORIGIN
    described = {
        "voxels": np.asfortranarray(labels()),
        "ijkToLPS": matrix,
        "containedRepresentationNames": ["Binary labelmap"],
        "segments": [{"id": "Segment_1", "name": "organ", "labelValue": 1, "layer": 0}],
    }
    with tempfile.TemporaryDirectory() as folder:
        slicerio.write_segmentation(str(Path(folder) / name), described)
        data = (Path(folder) / name).read_bytes()
    return {name: re.sub(rb"(?m)^# on .{19}", b"# on 2000-01-01 00:00:00", data)}  # the time of writing


def picture(name: str, *, deep: bool = False, label: bool = False, **options: Any) -> Files:
    """Return one slice as a 2-D image, or its label; "deep" with 16 bits."""
    pixels = (labels() * 255 if label else voxels(np.uint8) * 2)[:, :, 3].T
    file = BytesIO()
    image = Image.fromarray(pixels.astype(np.uint16) * 200 if deep else pixels)
    image.save(file, Image.registered_extensions()[Path(name).suffix], **options)
    return {name: file.getvalue()}


def _dicom(number: int, change: Callable[[Dataset], None] = lambda _: None) -> bytes:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.Modality = CT_IMAGE, f"{UID}.9.{number}", "CT"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = (
        f"{UID}.1",
        f"{UID}.2",
        f"{UID}.3",
    )
    dataset.PatientID, dataset.PatientName, dataset.StudyID = "1", "Test", "1"
    dataset.StudyDate, dataset.StudyTime, dataset.AccessionNumber = "20200101", "120000", "1"
    dataset.ImageType, dataset.InstanceNumber, dataset.SeriesNumber = ["ORIGINAL", "PRIMARY", "AXIAL"], number, 1
    dataset.ImagePositionPatient = [ORIGIN[0], ORIGIN[1], ORIGIN[2] + SPACING[2] * number]
    dataset.ImageOrientationPatient, dataset.PixelSpacing = [1, 0, 0, 0, 1, 0], [SPACING[1], SPACING[0]]
    dataset.SliceThickness, dataset.RescaleSlope, dataset.RescaleIntercept = SPACING[2], 1, -1024
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = SHAPE[1], SHAPE[0], 1
    dataset.PhotometricInterpretation, dataset.PixelRepresentation = "MONOCHROME2", 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelData = voxels(np.uint16)[:, :, number].T.tobytes()
    change(dataset)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    file = BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def _deflated(dataset: Dataset) -> None:
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian


def _photo(dataset: Dataset) -> None:
    dataset.SOPClassUID, dataset.Modality = PHOTO, "XC"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, "RGB", 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.PixelData = np.repeat(voxels(np.uint8)[:, :, 0].T[..., None], 3, axis=2).tobytes()


def series(*, deflated: bool = False) -> Files:
    """Return a CT series of five slices."""
    return {f"{number}.dcm": _dicom(number, _deflated if deflated else lambda _: None) for number in range(5)}


def photo() -> Files:
    """Return a photograph as DICOM."""
    return {"photo.dcm": _dicom(0, _photo)}


def zipped() -> Files:
    """Return the series in a zip archive."""
    file = BytesIO()
    with ZipFile(file, "w", ZIP_DEFLATED) as archive:
        for name, data in series().items():
            archive.writestr(ZipInfo(f"study/{name}"), data, ZIP_DEFLATED)
    return {"study.zip": file.getvalue()}


def disc(*, deflated: bool = False) -> Files:
    """Return the series on a medium with a DICOMDIR."""
    files = FileSet()
    files.UID = pydicom.uid.UID(f"{UID}.5")
    with tempfile.TemporaryDirectory() as folder:
        for name, data in series(deflated=deflated).items():
            (Path(folder) / name).write_bytes(data)
            files.add(Path(folder) / name)
        root = Path(folder) / "cd"
        files.write(root)
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def write_files(folder: Path, files: Files) -> None:
    """Write files into a folder, in place of those of the same names."""
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def nrrd_start(data: bytes) -> int:
    """Return the byte behind an NRRD header."""
    return data.index(b"\n\n") + 2


def meta_start(data: bytes) -> int:
    """Return the byte behind a MetaImage header whose voxels follow."""
    return data.index(b"LOCAL\n") + 6


def recompressed(data: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """Return a gzip file whose content was changed and whose checksum fits."""
    return gzip.compress(change(gzip.decompress(data)), mtime=0)


def with_png_checksums(data: bytes) -> bytes:
    """Return a PNG file with the right checksum for every chunk."""
    position, parts = 8, [data[:8]]
    while position + 12 <= len(data):
        end = position + 8 + int.from_bytes(data[position : position + 4], "big")
        parts += [data[position:end], zlib.crc32(data[position + 4 : end]).to_bytes(4, "big")]
        position = end + 4
    return b"".join(parts)


def tiff_span(data: bytes) -> tuple[int, int]:
    """Return first and last byte of the only strip of a TIFF file."""
    with Image.open(BytesIO(data)) as image:
        tags: Any = image.tag_v2  # type: ignore[attr-defined]  # of a TIFF
        return int(tags[273][0]), int(tags[273][0] + tags[279][0])
