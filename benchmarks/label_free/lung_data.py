"""Datalists of the training part of the lung data, without left-out volumes."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

# By name of the data set in ``data_prep``, its folder below the root of the data.
_SOURCES = {"lung_volumes": "lung/volumes", "dicom": "dicom/chest_A0001", "kaggle_lung": "lung/slices64"}


def lung_sources(data: Path, work: Path, without: Collection[str] = ()) -> list[str]:
    """Return folders with datalists for ``dataset_dir`` of the lung bundle's ``train.json``.

    They are the three data sets that the released weights were trained on. The test sections, with the volume id003,
    are not read.

    Args:
        data: root of the data.
        work: folder for the datalists.
        without: volumes to leave out, such as "id001".

    Raises:
        DataError: When a data set is missing, and for an unknown volume to leave out.
    """
    from data_prep import lung_volumes
    from data_prep.prepare import prepare
    from s3net_monai.data.datalist import write_datalist
    from s3net_monai.file_formats import DATALIST_FILE
    from s3net_monai.utils.errors import DataError

    folders = {name: work / "data" / name for name in _SOURCES}
    for name, folder in folders.items():
        if not (folder / DATALIST_FILE).is_file():
            prepare(name, data / _SOURCES[name], folder)
    if without:
        cases = lung_volumes.find_cases(data / _SOURCES["lung_volumes"], folders["lung_volumes"])
        unknown = sorted(set(without) - {case.case_id for case in cases})
        if unknown:
            raise DataError(f"{data / _SOURCES['lung_volumes']}: no volume {unknown[0]} to leave out; check the name")
        folders["lung_volumes"] = work / "data" / "-".join(["lung_volumes", "without", *sorted(without)])
        remaining = [case for case in cases if case.case_id not in without]
        write_datalist(
            folders["lung_volumes"],
            name="lung_volumes",
            description=lung_volumes.DESCRIPTION,
            modality=lung_volumes.MODALITY,
            cases=remaining,
        )
    return [str(folder) for folder in folders.values()]
