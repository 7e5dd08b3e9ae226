"""inference.json alone, without our command: masks on the grid of the source, and the same that our command gives."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from data_prep.phantom import write_cardiac_phantom, write_lung_phantom, write_skin_phantom
from data_prep.phantom_grid import phantom_affine
from s3net_monai.cli import main

LUNG_SHAPE, LUNG_SPACING = (72, 60, 10), (4.0, 4.5, 6.0)
HEART_SHAPE, HEART_SPACING = (52, 44, 6), (1.5, 1.4, 9.0)
OBLIQUE = Rotation.from_euler("xz", [15, 10], degrees=True).as_matrix()
TOWARDS_RIGHT_AND_FRONT = np.diag([-1.0, -1.0, 1.0])  # a positive diagonal in RAS, where scanners write a negative one
GRIDS = {"scanner": np.eye(3), "oblique": OBLIQUE, "ras": TOWARDS_RIGHT_AND_FRONT}


@pytest.fixture(scope="session")
def images(bundle: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plain folder: volumes on several grids and a DICOM series; or 2-D images of several sizes and formats."""
    folder = tmp_path_factory.mktemp("made")
    if bundle.task == "lung":
        for name, rotation in GRIDS.items():
            write_lung_phantom(folder, name, LUNG_SHAPE, affine=phantom_affine(LUNG_SHAPE, LUNG_SPACING, rotation))
        write_lung_phantom(
            folder, "series", LUNG_SHAPE, dicom=True, affine=phantom_affine(LUNG_SHAPE, LUNG_SPACING, OBLIQUE)
        )
    elif bundle.task == "cardiac":
        write_cardiac_phantom(folder, "patient001", HEART_SHAPE, spacing=HEART_SPACING)
        write_cardiac_phantom(folder, "patient002", HEART_SHAPE, seed=1)  # its spacing is lost
    else:
        write_skin_phantom(folder, "wide", (150, 110), seed=1)
        write_skin_phantom(folder, "tall", (90, 131), seed=2)
        Image.open(folder / "images" / "wide.png").save(folder / "images" / "photo.jpg", quality=95)
    shutil.rmtree(folder / "labels")
    return folder / "images"


@pytest.fixture(scope="session")
def masks(
    bundle: Any, images: Path, tmp_path_factory: pytest.TempPathFactory, monai_bundle: Callable[..., str]
) -> Path:
    """What MONAI's own command writes for these images, called from another folder."""
    output = tmp_path_factory.mktemp("masks")
    monai_bundle(
        cwd=tmp_path_factory.mktemp("elsewhere"),
        config_file=bundle.config_file("inference"),
        bundle_root=str(bundle.root),
        dataset_dir=str(images),
        output_dir=str(output),
    )
    return output


def stems(folder: Path) -> set[str]:
    return {path.name.split(".")[0] for path in folder.iterdir()}


@pytest.mark.slow
def test_every_image_gets_a_mask(images: Path, masks: Path) -> None:
    assert stems(masks) == {f"{stem}_seg" for stem in stems(images)}


@pytest.mark.slow
def test_masks_lie_on_the_grid_of_their_source(bundle: Any, images: Path, masks: Path) -> None:
    for path in sorted(masks.iterdir()):
        name = path.name.split("_seg")[0]
        if bundle.task == "skin":
            mask = Image.open(path)
            assert mask.size == Image.open(next(images.glob(f"{name}.*"))).size
            assert mask.mode == "L"
            values = np.unique(np.asarray(mask))
            assert values.tolist() == [0, 255], name
            continue
        mask = nibabel.load(path)
        assert mask.get_data_dtype() == np.uint8
        values = np.unique(np.asanyarray(mask.dataobj))
        if bundle.task == "cardiac":
            assert set(values) <= {0, 1, 2, 3}, name
            assert len(values) > 1, name
            assert mask.shape == HEART_SHAPE, name
            expected = np.diag([*HEART_SPACING, 1.0]) if name.startswith("patient001") else np.eye(4)
            np.testing.assert_array_equal(mask.affine, expected.astype(np.float32))
            continue
        assert values.tolist() == [0, 1], name
        assert mask.shape == LUNG_SHAPE, name
        rotation = GRIDS.get(name, OBLIQUE)
        np.testing.assert_allclose(mask.affine, phantom_affine(LUNG_SHAPE, LUNG_SPACING, rotation), atol=1e-3)


@pytest.mark.slow
def test_our_command_writes_the_same_masks(bundle: Any, images: Path, masks: Path, tmp_path: Path) -> None:
    words = ["segment", str(images), "--task", bundle.task, "--bundle", str(bundle.root), "--output", str(tmp_path)]
    assert main([*words, "--device", "cpu"]) == 0
    for path in sorted(masks.iterdir()):
        read = (lambda p: np.asarray(Image.open(p))) if bundle.task == "skin" else (lambda p: nibabel.load(p).dataobj)
        np.testing.assert_array_equal(np.asarray(read(path)), np.asarray(read(tmp_path / path.name)), path.name)
