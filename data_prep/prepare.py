"""Preparation of a public data set in its own layout as a checked MONAI datalist."""

from __future__ import annotations

from pathlib import Path

from data_prep import acdc, curvas, dicom_tree, isic2018, kaggle_lung, lung_slices, lung_volumes, ph2
from data_prep.checks import check_cases
from s3net_monai.data.datalist import write_datalist
from s3net_monai.file_formats import DATALIST_FILE
from s3net_monai.utils.errors import DataError
from s3net_monai.utils.output_paths import check_output_folder

_MODULES = {
    "ph2": ph2,
    "isic2018": isic2018,
    "lung_volumes": lung_volumes,
    "lung_slices": lung_slices,
    "kaggle_lung": kaggle_lung,
    "acdc": acdc,
    "curvas": curvas,
    "dicom": dicom_tree,
}
DATASETS: dict[str, str] = {name: module.DESCRIPTION for name, module in _MODULES.items()}


def prepare(dataset: str, source: Path, destination: Path) -> Path:
    """Find the cases of a data set, check them, and write and return the path of their datalist.

    Images stay where they are, except in sets that pack them (see ``kaggle_lung``), whose slices are written below
    ``destination``. Splits are by patient: those that the set reserves are for test; of the others about a tenth,
    chosen by a hash of the identifier, is for validation.

    Args:
        dataset: one of ``DATASETS``.
        source: the folder of the data set.
        destination: the folder of datalist.json.

    Raises:
        DataError: if the data set is unknown, if the folder is missing, empty or of another layout, and for every
            problem that ``check_cases`` finds; then no datalist is written.
        UsageError: if ``destination`` cannot be written to.
    """
    if dataset not in _MODULES:
        raise DataError(f"data set {dataset!r} is not known, expected one of {', '.join(DATASETS)}")
    module = _MODULES[dataset]
    source, destination = Path(source), Path(destination)
    if not source.is_dir():
        raise DataError(f"{source}: no such folder, expected {module.LAYOUT}; give the folder that holds these")
    check_output_folder(destination, [DATALIST_FILE])
    cases = module.find_cases(source, destination)
    check_cases(cases, module.NUM_CLASSES)
    return write_datalist(
        destination, name=dataset, description=module.DESCRIPTION, modality=module.MODALITY, cases=cases
    )
