#!/usr/bin/env bash
# highdicom 0.28.2: writing a FRACTIONAL segmentation from a uint8 mask of 0 and 1 multiplies that mask by 255 in place.
# A float mask and the types BINARY and LABELMAP leave theirs as it was. A program that writes the same mask again, as
# NIfTI or as BINARY, or measures it by its sum, works on 255: a sum of 16 voxels becomes 4080, BINARY is refused.
#
# Guessed: the array is only read, as for the other types.
# Installs highdicom into a temporary folder; PYTHON names the interpreter.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet --upgrade pip
"$folder/environment/bin/pip" install --quiet highdicom==0.28.2 pydicom==3.0.2 numpy==2.4.6
cat >"$folder/show.py" <<'PYTHON'
import warnings

warnings.simplefilter("ignore")
import highdicom as hd
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

UIDS = [generate_uid() for _ in range(3)]


def ct_slice(number, rows, columns, spacing, thickness, step):
    """A CT slice, `step` mm above the one before it; all share their series and frame of reference."""
    slice_ = Dataset()
    slice_.file_meta = FileMetaDataset()
    slice_.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    values = {
        "SOPClassUID": CTImageStorage, "SOPInstanceUID": generate_uid(), "StudyInstanceUID": UIDS[0],
        "SeriesInstanceUID": UIDS[1], "FrameOfReferenceUID": UIDS[2], "PatientID": "1", "PatientName": "Phantom^Box",
        "PatientBirthDate": "", "PatientSex": "", "StudyDate": "20260101", "StudyTime": "120000", "StudyID": "1",
        "AccessionNumber": "", "ReferringPhysicianName": "", "PositionReferenceIndicator": "", "Manufacturer": "None",
        "Modality": "CT", "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"], "PatientPosition": "HFS", "KVP": 120,
        "SeriesNumber": 1, "AcquisitionNumber": 1, "InstanceNumber": number + 1, "PixelSpacing": spacing,
        "SliceThickness": thickness, "ImagePositionPatient": [-10.0, -20.0, 30.0 + step * number],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "Rows": rows, "Columns": columns, "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2", "BitsAllocated": 16, "BitsStored": 16, "HighBit": 15,
        "PixelRepresentation": 1, "RescaleIntercept": 0, "RescaleSlope": 1, "RescaleType": "HU",
        "PixelData": np.full((rows, columns), 100 * number, "<i2").tobytes(),
    }  # fmt: skip
    for name, value in values.items():
        setattr(slice_, name, value)
    return slice_


def segment(number):
    """A segment of the lung, by its number."""
    category = hd.sr.CodedConcept("123037004", "SCT", "Anatomical Structure")
    kind = hd.sr.CodedConcept("39607008", "SCT", "Lung")
    return hd.seg.SegmentDescription(number, f"lung {number}", category, kind, "MANUAL")


def segmentation(images, mask, kind, numbers, **options):
    """DICOM SEG of `mask` (slices, rows, columns, or with one channel a segment) on `images`."""
    segments = [segment(number) for number in numbers]
    uids = hd.UID(), 2, hd.UID(), 1
    return hd.seg.Segmentation(images, mask, kind, segments, *uids, "None", "None", "1", "1", **options)


images = [ct_slice(number, 16, 16, [1, 1], 2, 2) for number in range(4)]
seen = {}
for kind in ("BINARY", "LABELMAP", "FRACTIONAL"):
    for dtype in ("uint8", "float32"):
        mask = np.zeros((4, 16, 16), dtype)
        mask[:, 2:4, 2:4] = 1
        segmentation(images, mask, kind, [1])
        seen[kind, dtype] = int(mask.sum())
        print(f"{kind} from {dtype}: the caller's mask of 16 voxels now sums to {seen[kind, dtype]}")
changed = {key for key, total in seen.items() if total != 16}
raise SystemExit(changed != {("FRACTIONAL", "uint8")} or seen["FRACTIONAL", "uint8"] != 16 * 255)
PYTHON
cd "$folder"
"$folder/environment/bin/python" show.py
