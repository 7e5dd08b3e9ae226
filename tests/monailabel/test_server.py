"""The real server, driven by MONAI Label's own client in the same way as by 3D Slicer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import requests
import SimpleITK
import torch
from PIL import Image

from s3net_monai.active_learning import score_candidate, select_medoids
from s3net_monai.inference import bundle_root, load_bundle
from s3net_monai.inference.discovery.find_cases import find_cases
from tests.helpers.monailabel_cases import CARDIAC, LABELS, LUNG, SKIN, command_line, read_mask, write_pairs
from tests.helpers.monailabel_server import TOKEN, finished_training, running_server

pytest.importorskip("monailabel.client", reason="MONAI Label has an environment of its own: make test-monailabel")


@pytest.fixture(scope="module")
def skin_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("skin_images")
    write_pairs(SKIN, folder, 4)
    return folder


@pytest.fixture(scope="module")
def server(skin_images: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A server with all bundles on a folder of skin images, shared by the tests in the order of this file."""
    folder = tmp_path_factory.mktemp("server")
    with running_server(str(skin_images / "images"), "", folder) as client:
        client.folder = folder
        yield client


def test_info(server: Any) -> None:
    info = server.info()
    assert {name: model["labels"] for name, model in info["models"].items()} == LABELS
    assert {model["type"] for model in info["models"].values()} == {"segmentation"}
    assert set(info["trainers"]) == set(LABELS)
    assert {f"consistency_{name}" for name in LABELS} | {"random", "first"} <= set(info["strategies"])
    assert info["datastore"]["total"] == 4


def test_pages_of_others_and_those_without_the_token_are_refused(server: Any, skin_images: Path) -> None:
    address, root = server.get_server_url(), server.get_server_url().removesuffix(f"/{TOKEN}")
    image = "/datastore/image?id=case0"
    foreign = {"Origin": "http://attacker.example"}
    preflight = {**foreign, "Access-Control-Request-Method": "DELETE"}
    answers = {
        401: [requests.get(f"{root}/info/"), requests.delete(root + image), requests.get(f"{root}/datastore/")],
        403: [
            requests.delete(address + image, headers=foreign),
            requests.options(address + image, headers=preflight),
            requests.get(f"{address}/datastore/?output=all", headers=foreign),
            requests.get(f"{address}/datastore/", headers={"Sec-Fetch-Site": "cross-site"}),
            requests.get(f"{address}/info/", headers={"Host": "attacker.example"}),
        ],
    }
    for status, group in answers.items():
        assert [answer.status_code for answer in group] == [status] * len(group)
        assert not [name for answer in group for name in answer.headers if name.lower().startswith("access-control")]
    assert len(list((skin_images / "images").glob("*.png"))) == 4
    own = requests.get(f"{address}/info/", headers={"Origin": root})
    assert own.ok
    assert not [name for name in own.headers if name.lower().startswith("access-control")]
    assert requests.get(f"{root}/info/", headers={"Authorization": f"Bearer {TOKEN}"}).ok
    assert requests.get(f"{address}/info").url == f"{address}/info/", "a redirection keeps the token"
    assert TOKEN not in (server.folder / "app" / "logs" / "app.log").read_text()


def test_a_browser_opens_ohif_by_the_address_with_the_token(server: Any) -> None:
    browser = requests.Session()
    browser.headers.update({"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"})
    page = browser.get(f"{server.get_server_url()}/ohif/")
    assert page.ok
    assert TOKEN not in page.url
    assert "<html" in page.text
    assert requests.get(page.url).status_code == 401


def test_images_are_deleted_with_the_token(server: Any, skin_images: Path, tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "extra.png")
    server.upload_image(str(tmp_path / "extra.png"), "extra")
    assert (skin_images / "images" / "extra.png").is_file()
    assert requests.delete(f"{server.get_server_url()}/datastore/image?id=extra").ok
    assert not (skin_images / "images" / "extra.png").exists()


def test_2d_image(server: Any, skin_images: Path, tmp_path: Path) -> None:
    file, _ = server.infer(SKIN, "case0", {"device": "cpu"})
    mask = read_mask(Path(file))
    assert mask.any()
    np.testing.assert_array_equal(mask, read_mask(command_line("skin", skin_images / "images" / "case0.png", tmp_path)))


def test_2d_image_in_the_format_that_slicer_requests(server: Any, skin_images: Path, tmp_path: Path) -> None:
    """3D Slicer's module requests NRRD for every image."""
    slicer = {"result_extension": ".nrrd", "result_dtype": "uint8", "device": "cpu"}
    file, _ = server.infer(SKIN, "case1", slicer)
    assert file.endswith(".nrrd")
    image = SimpleITK.ReadImage(file)
    assert image.GetPixelID() == SimpleITK.sitkUInt8
    mask = SimpleITK.GetArrayFromImage(image).squeeze() > 0  # rows first, as in the image file
    assert mask.any()
    expected = read_mask(command_line("skin", skin_images / "images" / "case1.png", tmp_path))
    np.testing.assert_array_equal(mask, expected)


def test_corrections_become_a_new_model(server: Any, skin_images: Path, tmp_path: Path) -> None:
    """The steps of 3D Slicer: request a case, save labels, train with every option that the server listed."""
    first = server.next_sample(f"consistency_{SKIN}", {})["id"]
    assert first == first_by_strategy(skin_images / "images")
    others = sorted({f"case{index}" for index in range(4)} - {first})
    for case in (first, *others[:2]):
        label = skin_images / "labels" / f"{case}.png"
        if case == first:
            label = as_slicer_saves_it(label, tmp_path)
        server.save_label(case, str(label), "final", {"label_info": [{"name": "lesion"}]})
    assert server.info()["datastore"]["completed"] == 3
    model = server.folder / "app" / "model" / SKIN / "models" / "model.pt"
    before = model.read_bytes()
    options = {
        key: value[0] if isinstance(value, list) else value
        for key, value in server.info()["trainers"][SKIN]["config"].items()
    }
    assert options["run_id"] == ""
    status = finished_training(server, SKIN, {**options, "max_epochs": 1, "device": "cpu"})
    assert status["status"] == "DONE", (server.folder / "server.log").read_text()[-3000:]
    assert model.read_bytes() != before
    file, _ = server.infer(SKIN, "case3", {"device": "cpu"})
    assert Image.open(file).size == (90, 70)
    assert server.next_sample(f"consistency_{SKIN}", {})["id"] == others[2]


def first_by_strategy(images: Path) -> str:
    """The medoid of the images by the features of the released weights."""
    bundle = load_bundle("skin", bundle_root("skin"), torch.device("cpu"))
    cases = find_cases([images]).cases
    features = np.stack([score_candidate(case, bundle).features for case in cases])
    (index,) = select_medoids(features, range(len(cases)), selected=(), count=1)
    return cases[index].case_id


def as_slicer_saves_it(label: Path, folder: Path) -> Path:
    """Its module sends NIfTI: a 2-D image is a volume of one slice there, with the first axis pointing left."""
    volume = read_mask(label).T[..., None].astype(np.uint8)
    nib.save(nib.Nifti1Image(volume, np.diag([-1.0, -1.0, 1.0, 1.0])), folder / "label.nii.gz")
    return folder / "label.nii.gz"


@pytest.mark.parametrize(("name", "task"), [(LUNG, "lung"), (CARDIAC, "cardiac")])
def test_volume(name: str, task: str, server: Any, tmp_path: Path) -> None:
    """An uploaded volume: the returned mask has its grid and equals that of the command line."""
    image = Path(write_pairs(name, tmp_path / "data", 1)[0]["image"])
    assert server.upload_image(str(image), task)["image"] == task
    file, response = server.infer(name, task, {"device": "cpu"})
    assert response["label_names"] == LABELS[name]
    mask, expected = read_mask(Path(file)), read_mask(command_line(task, image, tmp_path / "masks"))
    assert mask.dtype == np.uint8
    assert mask.any()
    np.testing.assert_array_equal(mask, expected)
    np.testing.assert_allclose(nib.load(file).affine, nib.load(image).affine, atol=1e-3)
