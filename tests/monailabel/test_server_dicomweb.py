"""The same server on a real Orthanc: a CT series, its mask stored as DICOM SEG, and a training on it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK

from data_prep.phantom import write_lung_phantom
from data_prep.phantom_grid import phantom_affine
from tests.helpers.monailabel_cases import LUNG, LUNG_SHAPE, LUNG_SPACING, command_line, read_mask
from tests.helpers.monailabel_server import finished_training, running_server
from tests.helpers.orthanc import running_orthanc

pytest.importorskip("monailabel.client", reason="MONAI Label has an environment of its own: make test-monailabel")


@pytest.fixture
def series(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Folders of two CT series by SeriesInstanceUID, written by the phantom code for pydicom 3."""
    import pydicom
    from pydicom.dataset import FileDataset

    def save_as(self: Any, path: Path, enforce_file_format: bool) -> None:
        self.is_little_endian, self.is_implicit_VR = True, False
        original(self, path, write_like_original=not enforce_file_format)

    original = FileDataset.save_as
    monkeypatch.setattr(FileDataset, "save_as", save_as)
    affine = phantom_affine(LUNG_SHAPE, LUNG_SPACING)
    folders = {}
    for seed in range(2):
        folder, _ = write_lung_phantom(
            tmp_path / "data", f"case{seed}", LUNG_SHAPE, seed=seed, affine=affine, dicom=True
        )
        folders[str(pydicom.dcmread(next(folder.iterdir())).SeriesInstanceUID)] = folder
    return folders


def test_from_archive_to_stored_segmentation(series: dict[str, Path], tmp_path: Path) -> None:
    import pydicom

    with running_orthanc(tmp_path / "orthanc") as archive:
        archive.upload(list(series.values()))
        cache = {"MONAI_LABEL_DICOMWEB_CACHE_PATH": str(tmp_path / "cache")}
        with running_server(archive.dicomweb_url, "lung", tmp_path, **cache) as client:
            image = client.next_sample(f"consistency_{LUNG}", {})["id"]
            source = pydicom.dcmread(next(series[image].iterdir()))
            file, _ = client.infer(LUNG, image, {"device": "cpu"})
            mask = read_mask(Path(file))
            expected = command_line("lung", as_nifti(series[image], tmp_path / "ct.nii.gz"), tmp_path / "masks")
            assert mask.any()
            np.testing.assert_array_equal(mask, read_mask(expected))
            np.testing.assert_allclose(nib.load(file).affine, nib.load(expected).affine, atol=1e-3)

            label = {"name": "lung", "description": "corrected", "color": [221, 130, 101]}
            client.save_label(image, file, "final", {"label_info": [label]})
            stored = stored_segmentation(archive)
            assert stored.SegmentSequence[0].SegmentLabel == "lung"
            assert stored.StudyInstanceUID == source.StudyInstanceUID
            assert stored.ReferencedSeriesSequence[0].SeriesInstanceUID == image
            assert int(np.unpackbits(np.frombuffer(stored.PixelData, dtype=np.uint8)).sum()) == int(mask.sum())

            (other,) = set(series) - {image}
            assert client.next_sample(f"consistency_{LUNG}", {})["id"] == other

            model = tmp_path / "app" / "model" / LUNG / "models" / "model.pt"
            before = model.read_bytes()
            options = {"device": "cpu", "max_epochs": 1, "val_split": 0}
            status = finished_training(client, LUNG, options)
            assert status["status"] == "DONE", (tmp_path / "server.log").read_text()[-3000:]
            assert model.read_bytes() != before


def as_nifti(series: Path, path: Path) -> Path:
    """A NIfTI copy, since the command line reads DICOM with pydicom 3, which this environment lacks."""
    files = SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(series))
    SimpleITK.WriteImage(SimpleITK.ReadImage(files), path)
    return path


def stored_segmentation(archive: Any) -> Any:
    """The only SEG object in the archive."""
    import pydicom

    query = {"Level": "Instance", "Query": {"Modality": "SEG"}}
    (instance,) = archive.request("POST", "/tools/find", json=query).json()
    return pydicom.dcmread(io.BytesIO(archive.request("GET", f"/instances/{instance}/file").content))
