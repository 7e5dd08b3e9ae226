"""The served folder, and the steps of MONAI Label's tasks for bundles on it, repeated without MONAI Label."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser, run
from monai.transforms import LoadImaged, SaveImaged
from monai.utils import set_determinism
from PIL import Image
from scipy.spatial.transform import Rotation

from s3net_monai.inference import bundle_root, load_bundle
from s3net_monai.monailabel.neighboring_images import neighboring_or_own_images
from s3net_monai.monailabel.served import make_app
from s3net_monai.transforms import upside_down_axes
from tests.helpers.monailabel_cases import CARDIAC, LUNG, SKIN, SMALL, weights, write_pairs


def train(bundle: Path, cases: list[dict[str, str]], **overrides: Any) -> None:
    """Train as ``BundleTrainTask`` of MONAI Label 0.8.5: with these overrides, and a loader before the handlers."""
    config = bundle / "configs" / "train.json"
    handlers = json.loads(config.read_text())["train"]["handlers"]
    path = str(bundle / "models" / "model.pt")
    load = {"_target_": "CheckpointLoader", "load_path": path, "load_dict": {"model": "$@network"}, "strict": False}
    validation = max(1, len(cases) // 5)
    try:
        run(
            run_id="run",
            init_id=None,
            final_id=None,
            meta_file=str(bundle / "configs" / "metadata.json"),
            config_file=str(config),
            logging_file=False,
            bundle_root=str(bundle),
            device="cpu",
            **{
                "train#trainer#max_epochs": 1,
                "train#dataset#data": cases[:-validation],
                "train#handlers": [load, *handlers],
                "validate#dataset#data": cases[-validation:],
                **overrides,
            },
        )
    finally:
        set_determinism(None)


@pytest.mark.slow
@pytest.mark.parametrize("name", [LUNG, SKIN, CARDIAC])
def test_corrections_fine_tune_the_served_weights(name: str, app_folder: Path, tmp_path: Path) -> None:
    bundle = app_folder / "model" / name
    before = weights(bundle)
    cases = write_pairs(name, tmp_path / "data", 5)
    train(bundle, cases, **SMALL[name], epoch_length=2, batch_size=2)
    after = weights(bundle)
    assert after.keys() == before.keys()
    if name != CARDIAC:
        assert torch.equal(after["cluster_class"], before["cluster_class"]), (
            "the assignment of clusters to classes is kept"
        )
    trained = [key for key in before if key.endswith((".weight", ".bias"))]
    changes = [float((after[key] - before[key]).abs().max()) for key in trained]
    assert 0 < max(changes) < 0.1, "trained, and from the released weights"
    assert [path.name for path in (bundle / "models").iterdir()] == ["model.pt"], "MONAI Label offers every .pt there"


@pytest.mark.slow
def test_training_follows_the_corrected_labels(app_folder: Path, tmp_path: Path) -> None:
    """Corrections that mark the background as lesion move the mask there."""
    bundle = app_folder / "model" / SKIN
    cases = write_pairs(SKIN, tmp_path / "data", 4)
    for case in cases:
        Image.fromarray(255 - np.asarray(Image.open(case["label"]))).save(case["label"])

    def agreement() -> float:
        trained = load_bundle("skin", bundle, torch.device("cpu"))
        sample = trained.preprocessing({"image": cases[0]["image"]})
        with torch.no_grad():
            mask = trained.network(sample["image"][None])[0, 1] > 0.5
        truth = torch.as_tensor(np.asarray(Image.open(cases[0]["label"]).resize(mask.shape)).T > 127)
        return float((mask == truth).float().mean())

    before = agreement()
    train(bundle, cases, **SMALL[SKIN], epoch_length=40, learning_rate=0.005)
    assert before < 0.3
    assert agreement() > before + 0.2


@pytest.mark.parametrize("name", [LUNG, SKIN, CARDIAC])
def test_masks_can_be_written_by_monai_label(name: str, app_folder: Path, tmp_path: Path) -> None:
    path = write_pairs(name, tmp_path, 1)[0]["image"]
    parser = ConfigParser()
    parser.read_config(str(app_folder / "model" / name / "configs" / "inference.json"))
    parser.update({"bundle_root": str(app_folder / "model" / name), "device": "cpu", **SMALL[name]})
    preprocessing = parser.get_parsed_content("preprocessing").transforms
    postprocessing = [
        step for step in parser.get_parsed_content("postprocessing").transforms if not isinstance(step, SaveImaged)
    ]
    for step in preprocessing:
        if isinstance(step, LoadImaged):
            step._loader.image_only = False
    sample: dict[str, Any] = {"image": path, "image_path": path}
    for step in preprocessing:
        sample = step(sample)
    with torch.no_grad():
        network = parser.get_parsed_content("network_def").eval()
        sample["pred"] = parser.get_parsed_content("inferer")(sample["image"][None], network)[0]
    for step in postprocessing:
        sample = step(sample)
    mask = sample["pred"]
    # Restored of MONAI Label compares sizes after the first axis, and drops a first axis of one only if there are four
    written = mask if mask.ndim <= 3 else mask[0]
    assert tuple(written.shape) == {SKIN: (90, 70), LUNG: (40, 36, 8), CARDIAC: (48, 40, 4)}[name]
    assert written.dtype == torch.uint8


def test_command_line_accepts_a_served_bundle(app_folder: Path, tmp_path: Path) -> None:
    served = load_bundle("skin", app_folder / "model" / SKIN, torch.device("cpu"))
    released = load_bundle("skin", bundle_root("skin"), torch.device("cpu"))
    assert [type(step) for step in served.postprocessing.transforms] == [
        type(step) for step in released.postprocessing.transforms
    ]


def test_restart_rewrites_configs_and_keeps_weights(app_folder: Path) -> None:
    bundle = app_folder / "model" / SKIN
    configs = {path.name: path.read_text() for path in (bundle / "configs").iterdir()}
    (bundle / "configs" / "train.json").write_text("from an earlier version")
    model = bundle / "models" / "model.pt"
    model.write_bytes(b"trained")
    assert make_app(app_folder, ["skin"]) == [SKIN]
    assert model.read_bytes() == b"trained"
    assert {path.name: path.read_text() for path in (bundle / "configs").iterdir()} == configs
    assert not list(bundle.parent.glob("*.unfinished"))


def test_bundles_without_fine_tuning_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("with", "without"):
        shutil.copytree(bundle_root("skin"), tmp_path / name)
    (tmp_path / "without" / "configs" / "fine_tune.json").unlink()
    monkeypatch.setattr("s3net_monai.monailabel.served.bundle_root", lambda task: tmp_path / task)
    assert make_app(tmp_path / "app", ["with", "without"]) == ["with"]
    assert [path.name for path in (tmp_path / "app" / "model").iterdir()] == ["with"]


def test_training_of_the_released_bundle_stays_label_free() -> None:
    for task in ("lung", "skin"):
        config = (bundle_root(task) / "configs" / "train.json").read_text()
        assert "HeadClassLogProbs" not in config
        assert '"label"' not in config.replace("from_engine(['pred', 'label'])", "")


def test_training_and_inference_orient_hearts_alike(app_folder: Path, tmp_path: Path) -> None:
    """An oblique stack flipped by a converter; its label has other axis directions and one segment too many."""
    (pair,) = write_pairs(CARDIAC, tmp_path, 1)
    truth = np.asarray(nib.load(pair["label"]).dataobj)
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", [-50, 30, 20], True).as_matrix() * (6.25, 7.5, 8.0)
    assert upside_down_axes(affine)
    nib.save(nib.Nifti1Image(truth * np.uint8(60), affine), pair["image"])  # the image shows its own label
    drawn = truth.copy()
    drawn[10, 20, 1] = 9
    flipped = affine @ np.array([[-1, 0, 0, 47], [0, 1, 0, 0], [0, 0, -1, 3], [0, 0, 0, 1]])
    nib.save(nib.Nifti1Image(drawn[::-1, :, ::-1], flipped), pair["label"])

    bundle = app_folder / "model" / CARDIAC
    samples = {}
    for name, key in (("train", "train#read_volume"), ("inference", "preprocessing")):
        parser = ConfigParser()
        parser.read_config(str(bundle / "configs" / f"{name}.json"))
        parser.update({"bundle_root": str(bundle), "device": "cpu"})
        samples[name] = parser.get_parsed_content(key)(pair)
    image, label = samples["train"]["image"], samples["train"]["label"]
    torch.testing.assert_close(image, samples["inference"]["image"].as_tensor())
    assert label.unique().tolist() == [0, 1, 2, 3]
    means = torch.stack([image[label == value].mean() for value in range(4)])
    nearest = (image[..., None] - means).abs().argmin(dim=-1)
    assert (nearest == label).float().mean() > 0.95


def test_unlabeled_images_are_found_beside_labeled_ones(tmp_path: Path) -> None:
    for name in "abcd":
        Image.new("RGB", (8, 8)).save(tmp_path / f"{name}.png")
    (tmp_path / "labels" / "final").mkdir(parents=True)
    Image.new("L", (8, 8)).save(tmp_path / "labels" / "final" / "a.png")
    (tmp_path / "notes.txt").touch()
    for name in ("a_mask.png", "b_Segmentation.png", "b_seg.png"):
        Image.new("L", (8, 8)).save(tmp_path / name)
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 4), np.uint8), np.eye(4)), tmp_path / "scan.nii.gz")
    case = {"image": str(tmp_path / "b.png"), "label": "x"}
    names = [Path(image["image"]).name for image in neighboring_or_own_images([case], 10)]
    assert names == ["a.png", "c.png", "d.png"]
    assert [Path(image["image"]).name for image in neighboring_or_own_images([case], 2)] == ["a.png", "d.png"]
    validation = [{"image": str(tmp_path / "c.png"), "label": "y"}]
    assert [Path(image["image"]).name for image in neighboring_or_own_images([case], 10, validation)] == [
        "a.png",
        "d.png",
    ]
    all_images = [{"image": str(tmp_path / f"{name}.png")} for name in "abcd"]
    assert neighboring_or_own_images(all_images, 10) == all_images


def test_invalid_volumes_do_not_stop_the_training(tmp_path: Path) -> None:
    for name, shape in (("a", (4, 4, 4)), ("b", (4, 4, 4)), ("cine", (4, 4, 4, 3))):
        nib.save(nib.Nifti1Image(np.zeros(shape, np.uint8), np.eye(4)), tmp_path / f"{name}.nii.gz")
    (tmp_path / "damaged.nii.gz").write_bytes(b"no NIfTI")
    (tmp_path / "mask.seg.nrrd").touch()
    case = {"image": str(tmp_path / "a.nii.gz"), "label": "x"}
    assert neighboring_or_own_images([case], 10) == [{"image": str(tmp_path / "b.nii.gz")}]
    (tmp_path / "b.nii.gz").unlink()
    assert neighboring_or_own_images([case], 10) == [{"image": case["image"]}]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ([], "the following arguments are required: folder"),
        (["x" * 256], "main.py: the name is too long; give a shorter path"),
        (["app", "nope"], "task 'nope' is not known"),
    ],
)
def test_errors_of_the_command_are_one_line(tmp_path: Path, words: list[str], problem: str) -> None:
    command = [sys.executable, "-m", "s3net_monai.monailabel.served", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert problem in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
