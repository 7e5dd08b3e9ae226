"""Writer of a CT volume as a classic DICOM series: one CT Image Storage object (PS3.3 section A.3) per slice."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from s3net_monai.utils.atomic import atomic_path
from s3net_monai.utils.geometry import LPS_TO_RAS

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset
    from pydicom.uid import UID

RESCALE_INTERCEPT = -1024


def write_ct_series(
    image: np.ndarray, affine: np.ndarray, folder: Path, *, case_id: str, feet_last: bool = False
) -> list[Path]:
    """Write one file per slice and return the paths in order of InstanceNumber.

    All UIDs derive from ``case_id`` and the pixels: equal volumes give equal files.

    Args:
        image: (columns, rows, slices) int16 in HU from -1024 to 3071.
        affine: (4x4, RAS+, mm). Its first two columns give ImageOrientationPatient and PixelSpacing, the third the step
            between slices; a third column that is not parallel to the slice normal gives a series of a tilted gantry.
        folder: created if missing.
        case_id: part of the PatientID.
        feet_last: whether to number the slices from the last to the first, as many scanners do; the positions, and so
            the volume, stay the same.

    Raises:
        ValueError: if the third axis runs against the slice normal, which a series cannot express.
    """
    from pydicom.uid import generate_uid

    lps = LPS_TO_RAS @ affine
    spacing = np.linalg.norm(lps[:3, :2], axis=0)
    cosines = lps[:3, :2] / spacing
    normal = np.cross(cosines[:, 0], cosines[:, 1])
    step = float(normal @ lps[:3, 2])
    if step <= 0:
        raise ValueError(
            f"the third axis of the affine runs {step:.3f} mm along the slice normal, expected more than 0; "
            "use feet_last to reverse the numbering"
        )
    folder.mkdir(parents=True, exist_ok=True)
    # Left-over slices of an earlier, longer series would mix with the new one.
    for stale in folder.glob("[0-9][0-9][0-9][0-9].dcm"):
        stale.unlink()
    entropy = [case_id, sha256(np.ascontiguousarray(image).data).hexdigest(), repr(lps.tolist())]
    uids = {kind: generate_uid(entropy_srcs=[*entropy, kind]) for kind in ("study", "series", "frame")}
    tilt = float(np.degrees(np.arccos(np.clip(step / np.linalg.norm(lps[:3, 2]), -1, 1))))
    paths = []
    for k in range(image.shape[2]):
        number = image.shape[2] - k if feet_last else k + 1
        path = folder / f"{number:04d}.dcm"
        dataset = _create_slice(image[:, :, k], uids, generate_uid(entropy_srcs=[*entropy, f"slice {k}"]))
        dataset.PatientID = f"PHANTOM-{case_id}"[:64]
        dataset.InstanceNumber = number
        position = lps[:3, 3] + k * lps[:3, 2]
        dataset.ImagePositionPatient = [_decimal(v) for v in position]
        dataset.ImageOrientationPatient = [_decimal(v) for v in cosines.T.ravel()]
        # The spacing of rows comes first: the distance along the column cosine (PS3.3 section 10.7.1.3).
        dataset.PixelSpacing = [_decimal(spacing[1]), _decimal(spacing[0])]
        dataset.SliceThickness = _decimal(step)
        dataset.SpacingBetweenSlices = _decimal(step)
        dataset.SliceLocation = _decimal(float(normal @ position))
        dataset.GantryDetectorTilt = _decimal(tilt)
        with atomic_path(path) as temporary:
            dataset.save_as(temporary, enforce_file_format=True)
        paths.append(path)
    return sorted(paths)


def _decimal(value: float) -> str:
    """Format a number as Decimal String of at most 16 characters (PS3.5 section 6.2)."""
    from pydicom.valuerep import format_number_as_ds

    return format_number_as_ds(float(value) + 0.0)


def _create_slice(hu: np.ndarray, uids: dict[str, UID], instance_uid: UID) -> FileDataset:
    """Return the dataset of one slice, without its position."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = instance_uid
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = instance_uid
    dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = dataset.ContentDate = "20000101"
    dataset.StudyTime = dataset.SeriesTime = dataset.AcquisitionTime = dataset.ContentTime = "120000"
    dataset.AccessionNumber = ""
    dataset.Modality = "CT"
    dataset.Manufacturer = "S3-Net phantom"
    dataset.ManufacturerModelName = "Synthetic chest"
    dataset.SoftwareVersions = "1"
    dataset.DeviceSerialNumber = "0"
    dataset.ReferringPhysicianName = ""
    dataset.StudyDescription = "Synthetic chest CT"
    dataset.SeriesDescription = "Synthetic chest CT"
    dataset.PatientName = "Doe^Synthia"  # no word that occurs in folder names, which would be redacted
    dataset.PatientBirthDate = "19500101"
    dataset.PatientSex = "O"
    dataset.PatientPosition = "HFS"
    dataset.BodyPartExamined = "CHEST"
    dataset.KVP = "120"
    dataset.StudyInstanceUID = uids["study"]
    dataset.SeriesInstanceUID = uids["series"]
    dataset.FrameOfReferenceUID = uids["frame"]
    dataset.PositionReferenceIndicator = ""
    dataset.StudyID = "1"
    dataset.SeriesNumber = 1
    dataset.AcquisitionNumber = 1
    stored = (hu.T.astype(np.int32) - RESCALE_INTERCEPT).astype("<u2")
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = stored.shape
    dataset.BitsAllocated = 16
    dataset.BitsStored = 12
    dataset.HighBit = 11
    dataset.PixelRepresentation = 0
    dataset.RescaleIntercept = str(RESCALE_INTERCEPT)
    dataset.RescaleSlope = "1"
    dataset.RescaleType = "HU"
    dataset.WindowCenter = "-600"
    dataset.WindowWidth = "1600"
    dataset.PixelData = stored.tobytes()
    return dataset
