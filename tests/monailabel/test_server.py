"""The real server, driven by MONAI Label's own client as 3D Slicer drives it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from monailabel_server import finished_training, running_server
from PIL import Image

from data_prep.phantom import write_lung_phantom, write_skin_phantom
from data_prep.phantom_grid import phantom_affine

pytest.importorskip("monailabel.client", reason="MONAI Label has an environment of its own: make test-monailabel")
OBLIQUE = np.array([[0.96, -0.28, 0.0], [0.28, 0.96, 0.0], [0.0, 0.0, 1.0]])
SKIN, LUNG = "skin_lesion_segmentation", "lung_ct_segmentation"


def command_line(task: str, image: Path, output: Path) -> Path:
    """The mask that ``s3net segment`` makes of an image, in this same environment."""
    words = ["segment", str(image), "--task", task, "--output", str(output), "--device", "cpu"]
    subprocess.run([sys.executable, "-m", "s3net_monai", *words], check=True, capture_output=True, timeout=300)
    (mask,) = output.glob("*_seg.*")
    return mask


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for index in range(4):
        write_skin_phantom(folder, f"case{index}", (90, 70), seed=index)
    return folder


@pytest.fixture(scope="module")
def skin(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("skin_server")
    with running_server(str(pictures / "images"), "skin", folder) as client:
        client.folder = folder
        yield client


def test_volume(tmp_path: Path) -> None:
    """An oblique CT is uploaded; the answer lies on its grid and is the command line's mask."""
    shape = (40, 36, 8)
    affine = phantom_affine(shape, (8.0, 8.0, 10.0), OBLIQUE)
    image, _ = write_lung_phantom(tmp_path / "data", "case", shape, affine=affine)
    (tmp_path / "studies").mkdir()
    with running_server(str(tmp_path / "studies"), "lung", tmp_path) as client:
        assert client.info()["models"][LUNG]["labels"] == {"lung": 1}
        assert client.upload_image(str(image), "case")["image"] == "case"
        file, answer = client.infer(LUNG, "case", {"device": "cpu"})
    assert answer["label_names"] == {"lung": 1}
    mask, expected = nib.load(file), nib.load(command_line("lung", image, tmp_path / "masks"))
    assert mask.get_data_dtype() == np.uint8
    assert mask.shape == shape
    np.testing.assert_allclose(mask.affine, affine, atol=1e-3)
    np.testing.assert_array_equal(np.asarray(mask.dataobj), np.asarray(expected.dataobj))
    assert np.asarray(mask.dataobj).any()


def test_info(skin: Any) -> None:
    info = skin.info()
    model = info["models"][SKIN]
    assert (model["type"], model["dimension"], model["labels"]) == ("segmentation", 2, {"lesion": 1})
    assert list(info["trainers"]) == [SKIN]
    assert {f"consistency_{SKIN}", "random", "first"} <= set(info["strategies"])
    assert info["datastore"]["total"] == 4


def test_picture(skin: Any, pictures: Path, tmp_path: Path) -> None:
    file, _ = skin.infer(SKIN, "case0", {"device": "cpu"})
    mask = np.asarray(Image.open(file))
    expected = np.asarray(Image.open(command_line("skin", pictures / "images" / "case0.png", tmp_path)))
    np.testing.assert_array_equal(mask > 0, expected > 0)
    assert mask.any()


def test_corrections_become_a_new_model(skin: Any, pictures: Path) -> None:
    """What Slicer does: ask for a case, save labels, train with every option that the server named."""
    first = skin.next_sample(f"consistency_{SKIN}", {})["id"]
    assert first in {f"case{index}" for index in range(4)}
    for case in (first, *sorted({"case0", "case1", "case2"} - {first})[:2]):
        skin.save_label(case, str(pictures / "labels" / f"{case}.png"), "final", {"label_info": [{"name": "lesion"}]})
    assert skin.info()["datastore"]["completed"] == 3
    model = skin.folder / "app" / "model" / SKIN / "models" / "model.pt"
    before = model.read_bytes()
    options = {
        key: each[0] if isinstance(each, list) else each
        for key, each in skin.info()["trainers"][SKIN]["config"].items()
    }
    assert options["run_id"] == ""
    status = finished_training(skin, SKIN, {**options, "max_epochs": 1, "device": "cpu"})
    assert status["status"] == "DONE", (skin.folder / "server.log").read_text()[-3000:]
    assert model.read_bytes() != before
    file, _ = skin.infer(SKIN, "case3", {"device": "cpu"})
    assert Image.open(file).size == (90, 70)
    left = skin.next_sample(f"consistency_{SKIN}", {})["id"]
    assert left not in {first}
