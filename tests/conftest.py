"""What several rooms test with: small CT series, a toy bundle whose masks can be told by hand, the real data."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def ct_slice(stored: np.ndarray, position: np.ndarray, **tags: Any) -> Dataset:
    """One CT slice from stored values (rows, columns) at ``position`` in mm (LPS); ``tags`` override what is set."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    dataset.SOPInstanceUID = generate_uid()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyID", "AccessionNumber"):
        setattr(dataset, keyword, "")
    dataset.ReferringPhysicianName = dataset.PositionReferenceIndicator = ""
    dataset.StudyDate, dataset.StudyTime = "20200101", "120000"
    dataset.Modality, dataset.Manufacturer = "CT", "test"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.SeriesNumber, dataset.InstanceNumber = 3, 1
    dataset.Rows, dataset.Columns = stored.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation = int(stored.dtype.kind == "i")
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
    dataset.ImagePositionPatient = [f"{value:.6f}"[:16] for value in position]
    dataset.PixelData = stored.astype(stored.dtype.newbyteorder("<")).tobytes()
    for keyword, value in tags.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return dataset


class SeriesMaker:
    """Slices of one CT series; tests change ``slices`` before ``save``."""

    def __init__(
        self,
        stored: np.ndarray,
        *,
        orientation: tuple[float, ...] = AXIAL,
        pixel_spacing: tuple[float, float] = (1.0, 1.0),
        step: float = 2.0,
        origin: tuple[float, float, float] = (-10.0, -20.0, 30.0),
    ) -> None:
        """``stored`` (slices, rows, columns); ``pixel_spacing`` (row, column) as DICOM has it; ``step`` in mm."""
        row, column = np.array(orientation).reshape(2, 3)
        normal = np.cross(row, column)
        uids = {key: generate_uid() for key in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")}
        self.slices = [
            ct_slice(
                plane,
                np.array(origin) + index * step * normal,
                ImageOrientationPatient=[f"{value:.10f}" for value in orientation],
                PixelSpacing=list(pixel_spacing),
                SliceThickness=abs(step),
                **uids,
            )
            for index, plane in enumerate(stored)
        ]

    def save(self, folder: Path, names: list[str] | None = None) -> Path:
        """Write the slices, by default under names that do not follow their order."""
        folder.mkdir(parents=True, exist_ok=True)
        for index, dataset in enumerate(self.slices):
            name = names[index] if names else f"{(index * 7) % 10007:05d}.dcm"
            dataset.save_as(folder / name, enforce_file_format=True)
        return folder


@pytest.fixture
def series_maker() -> Callable[..., SeriesMaker]:
    return SeriesMaker


@pytest.fixture
def stored_ramp() -> np.ndarray:
    """(slices 5, rows 4, columns 6): every stored value differs, so that any swap of axes shows."""
    return np.arange(5 * 4 * 6, dtype=np.uint16).reshape(5, 4, 6)


@pytest.fixture
def real_data() -> Path:
    """The folder of real data, which the repository does not hold."""
    folder = Path(os.environ.get("S3NET_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data not found at {folder}; set S3NET_DATA")
    return folder


def toy_bundle(root: Path, task: str) -> Path:
    """A bundle with the keys that the package relies on and a network of one 1x1 convolution.

    Task lung: foreground below -400.5 HU. Task skin: foreground where red is above 127.5.
    """
    lung = task == "lung"
    dims, channels = (3, 1) if lung else (2, 3)
    convolution = f"torch.nn.Conv{dims}d({channels}, 2, 1)"
    picture = {"_target_": "PILReader", "converter": "$upright_grey" if lung else "$upright_rgb"}
    series = {"_target_": "s3net_monai.io.DicomSeriesReader", "allow": "@allow"}
    readers: list[Any] = [picture, {"_target_": "s3net_monai.io.DicomPictureReader"}]
    if lung:
        readers = [picture, {"_target_": "s3net_monai.io.VolumeReader"}, series]
    before = [
        {"_target_": "LoadImaged", "keys": "image", "reader": readers},
        {"_target_": "EnsureChannelFirstd", "keys": "image"},
    ]
    if lung:
        before += [
            {"_target_": "s3net_monai.transforms.PictureAsVolumed", "keys": "image"},
            {"_target_": "Orientationd", "keys": "image", "axcodes": "RAS"},
        ]
    config = {
        "imports": [
            "$import torch",
            "$from s3net_monai.io import upright_grey",
            "$from s3net_monai.io import upright_rgb",
        ],
        "bundle_root": ".",
        "allow": [],
        "output_dir": "$@bundle_root + '/eval'",
        "device": "cpu",
        "network_def": f"$torch.nn.Sequential({convolution}, torch.nn.Softmax(dim=1))",
        "preprocessing": {"_target_": "Compose", "transforms": before},
        "inferer": {"_target_": "SimpleInferer"},
        "per_image_inferer": {"_target_": "SimpleInferer"},
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                {
                    "_target_": "Invertd",
                    "keys": "pred",
                    "transform": "@preprocessing",
                    "orig_keys": "image",
                    "nearest_interp": False,
                },
                {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
                {"_target_": "SaveImaged", "keys": "pred", "output_dir": "@output_dir"},
            ],
        },
    }
    image = {"num_channels": channels, "spatial_shape": [8] * dims, "dtype": "float32", "value_range": [0, 1]}
    metadata = {"version": "1.2.3", "network_data_format": {"inputs": {"image": image}}}
    (root / "configs").mkdir(parents=True)
    (root / "models").mkdir()
    (root / "configs" / "inference.json").write_text(json.dumps(config))
    (root / "configs" / "metadata.json").write_text(json.dumps(metadata))
    weight = torch.zeros(2, channels, *[1] * dims)
    weight[1, 0] = -1.0 if lung else 1.0
    state = {"0.weight": weight, "0.bias": torch.tensor([0.0, -400.5 if lung else -127.5])}
    torch.save(state, root / "models" / "model.pt")
    return root


@pytest.fixture
def lung_bundle(tmp_path: Path) -> Path:
    return toy_bundle(tmp_path / "toy_lung", "lung")


@pytest.fixture
def skin_bundle(tmp_path: Path) -> Path:
    return toy_bundle(tmp_path / "toy_skin", "skin")
