"""A tree of DICOM files, in whatever folders: each CT series is a case, without a label."""

from __future__ import annotations

from collections import defaultdict
from hashlib import sha256
from pathlib import Path
from typing import Any

from tqdm import tqdm

from data_prep.layout import files_below, found_or_error
from s3net_monai.data.datalist import Case
from s3net_monai.data.splits import split_of
from s3net_monai.utils.errors import DataError

DESCRIPTION = "a tree of DICOM CT series, grouped by SeriesInstanceUID, unlabeled"
MODALITY = "CT"
LAYOUT = "DICOM files of CT series in any folder below it"

_KEYWORDS = ["PatientID", "StudyInstanceUID", "SeriesInstanceUID", "Modality", "ImageType", "Rows", "Columns"]


def find_cases(source: Path, destination: Path) -> list[Case]:
    """A case for each CT series; scouts, other modalities, structure sets and reports are left out.

    The image is the series' folder where no other image lies in it, else the list of its files. Case names come from a
    hash of the SeriesInstanceUID: folders, and so their names, often carry the patient's name. The split is by
    PatientID, or by study where that is empty.
    """
    from s3net_monai.io.dicom.files import is_image, looks_like_dicom

    series: dict[str, list[Path]] = defaultdict(list)
    patients: dict[str, str] = {}
    images_in: dict[Path, int] = defaultdict(int)
    files = [path for path in files_below(source, "*") if looks_like_dicom(path)]
    for path in tqdm(files, desc="DICOM headers", unit="file", leave=False):
        header = _read_header(path)
        if not is_image(header):
            continue
        images_in[path.parent] += 1
        if header.get("Modality", "CT") == "CT" and "LOCALIZER" not in (header.get("ImageType") or ()):
            uid = str(header.get("SeriesInstanceUID", ""))
            series[uid].append(path)
            patients[uid] = str(header.get("PatientID") or header.get("StudyInstanceUID") or uid)
    cases = []
    for uid, paths in series.items():
        folder = paths[0].parent
        alone = images_in[folder] == len(paths) and all(path.parent == folder for path in paths)
        name = f"series_{sha256(uid.encode()).hexdigest()[:12]}"
        cases.append(Case(name, patients[uid], split_of(patients[uid], False), folder if alone else paths))
    return found_or_error(cases, source, LAYOUT)


def _read_header(path: Path) -> Any:
    from pydicom import dcmread

    try:
        return dcmread(path, stop_before_pixels=True, specific_tags=_KEYWORDS)
    except Exception as error:  # pydicom raises whatever the damage provokes
        raise DataError(f"{path}: header not readable as DICOM ({error}); copy the file again or remove it") from error
