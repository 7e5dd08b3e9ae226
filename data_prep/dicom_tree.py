"""A tree of DICOM files in any folders: each CT series is a case, without a label."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from data_prep.layout import list_files_below, require_cases
from s3net_monai.data.datalist import DatalistCase
from s3net_monai.data.splits import choose_split
from s3net_monai.utils.errors import DataError
from s3net_monai.utils.printing import progress_bar
from s3net_monai.utils.pseudonyms import Pseudonyms

if TYPE_CHECKING:
    from s3net_monai.io.dicom.header import SliceHeader

DESCRIPTION = "a tree of DICOM CT series, grouped by SeriesInstanceUID, unlabeled"
MODALITY = "CT"
NUM_CLASSES = 1  # without labels
LAYOUT = "DICOM files of CT series in any folder below it"

_KEYWORDS = ["PatientID", "StudyInstanceUID", "SeriesInstanceUID", "Modality", "ImageType", "Rows", "Columns"]


def find_cases(source: Path, destination: Path) -> list[DatalistCase]:
    """Find the CT series; scouts, other modalities, structure sets and reports are left out.

    The image is the series' folder where it holds no other image, else the list of its files. Case names come from a
    keyed hash of the SeriesInstanceUID, since the names of folders often contain the patient's name, and whoever has a
    list of UIDs could test a hash without a key. The split is by PatientID, or by study where that is empty.

    Raises:
        DataError: if ``source`` holds no CT series, or a damaged DICOM file.
    """
    from s3net_monai.io.dicom.files import looks_like_dicom
    from s3net_monai.io.dicom.header import is_image

    series: dict[str, list[Path]] = defaultdict(list)
    patients: dict[str, str] = {}
    num_images: dict[Path, int] = defaultdict(int)
    files = [path for path in list_files_below(source, "*") if looks_like_dicom(path)]
    for path in progress_bar(files, description="DICOM headers", unit="file", leave=False):
        header = _read_header(path)
        if not is_image(header):
            continue
        num_images[path.parent] += 1
        if header.get("Modality", "CT") == "CT" and "LOCALIZER" not in (header.get("ImageType") or ()):
            uid = str(header.get("SeriesInstanceUID", ""))
            series[uid].append(path)
            patients[uid] = str(header.get("PatientID") or header.get("StudyInstanceUID") or uid)
    cases = []
    pseudonyms = Pseudonyms()
    for uid, paths in series.items():
        folder = paths[0].parent
        is_alone = num_images[folder] == len(paths) and all(path.parent == folder for path in paths)
        name = pseudonyms.of(uid, uid).replace("anon-", "series_")
        split = choose_split(patients[uid], is_test=False)
        image = folder if is_alone else paths
        cases.append(DatalistCase(case_id=name, patient=patients[uid], split=split, image=image))
    return require_cases(cases, source, LAYOUT)


def _read_header(path: Path) -> SliceHeader:
    from s3net_monai.io.dicom.files import dicom_problem, read_data_set
    from s3net_monai.io.dicom.header import SliceHeader

    try:
        return SliceHeader(read_data_set(path, stop_before_pixels=True, specific_tags=_KEYWORDS), path)
    except Exception as error:  # damaged data raises all kinds of errors in pydicom
        reason = dicom_problem(error, "header not readable as DICOM", "copy the file again or remove it")
        raise DataError(f"{path}: {reason}") from error
