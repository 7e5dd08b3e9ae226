#!/usr/bin/env bash
# MONAI 1.6.1: PydicomReader, which is made to read DICOM segmentations too, stacks the frames of each segment from slice 0
# on. Two segments of equally many frames on different slices land on the same slices, without a word; with different
# counts NumPy's broadcast error comes. A segmentation of one segment is refused where the number of the segment stands in
# the shared functional groups, where the standard allows it and highdicom writes it.
#
# Guessed: each frame lies where its position says, and a single segment is the easiest case.
# Installs MONAI, PyTorch and highdicom into a temporary folder; PYTHON names the interpreter.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet --upgrade pip
"$folder/environment/bin/pip" install --quiet monai==1.6.1 torch==2.13.0 highdicom==0.28.2 pydicom==3.0.2 numpy==2.4.6
cat >"$folder/show.py" <<'PYTHON'
import warnings

warnings.simplefilter("ignore")
import highdicom as hd
import numpy as np
from monai.transforms import LoadImage
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


images = [ct_slice(number, 16, 16, [1, 1], 2, 2) for number in range(8)]


def centers(mask, affine):
    """Mean height in mm of each segment of (columns, rows, slices, segments)."""
    heights = [np.argwhere(mask[..., k])[:, 2].mean() for k in range(mask.shape[3])]
    return [round(float(affine[2, 2] * height + affine[2, 3]), 3) for height in heights]


seen = {}
for name, parts in (
    ("on the same slices", ([2, 3], [2, 3])),
    ("on different slices", ([1, 2], [5, 6])),
    ("only one", ([2, 3],)),
):
    mask = np.zeros((8, 16, 16, len(parts)), np.uint8)
    for k, filled in enumerate(parts):
        mask[filled, 4:8, 4 + 4 * k : 8 + 4 * k, k] = 1
    segmentation(images, mask, "BINARY", range(1, len(parts) + 1)).save_as("segmentation.dcm")
    try:
        result = LoadImage(reader="PydicomReader", image_only=True)("segmentation.dcm")
        seen[name] = centers(result.numpy(), result.affine.numpy())
    except NotImplementedError as error:
        seen[name] = str(error).split(", ")[-1]
    print(f"segments {name}: {seen[name]}; right: {[30 + 2 * float(np.mean(filled)) for filled in parts]}")
expected = {
    "on the same slices": [35.0, 35.0],
    "on different slices": [37.0, 37.0],
    "only one": "'SegmentIdentificationSequence' is required for each frame.",
}
raise SystemExit(seen != expected)
PYTHON
cd "$folder"
"$folder/environment/bin/python" show.py
