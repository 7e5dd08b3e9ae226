"""Semantic-aware contrast from the cardiac bundle's configs: folds, pre-training, fine-tuning, inference."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from ignite.engine import Events
from monai.bundle import ConfigParser, ConfigWorkflow

from data_prep.phantom import make_phantoms
from tests.helpers.paths import CARDIAC_BUNDLE

CONFIGS = CARDIAC_BUNDLE / "configs"
TOY = {"device": "cpu", "iterations": 2, "epoch_length": 2, "batch_size": 4, "spatial_size": [48, 48]}
CHANNELS = [4, 8]
LABELS = {"num_labeled_patients": 2}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantoms")
    make_phantoms("cardiac", folder, count=5, shape=(56, 48, 4))
    return folder


def workflow(data: Path, output: Path, *names: str, **overrides: Any) -> ConfigWorkflow:
    folders = {"bundle_root": str(CONFIGS.parent), "dataset_dir": str(data), "output_dir": str(output)}
    made = ConfigWorkflow(
        [str(CONFIGS / f"{name}.json") for name in names],
        meta_file=None,
        logging_file=False,  # a logging.conf would take the log away from pytest
        workflow_type="infer" if "inference" in names else "train",
        **{**folders, **overrides},
    )
    made.initialize()
    return made


def training(data: Path, output: Path, *overlays: str, **overrides: Any) -> ConfigWorkflow:
    options = {**TOY, **LABELS, "encoder_def#channels": CHANNELS, **overrides}
    return workflow(data, output, "train", *overlays, **options)


def state(path: str | Path) -> dict[str, torch.Tensor]:
    return torch.load(path, map_location="cpu", weights_only=True)


@pytest.fixture(scope="module")
def coarse(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Overrides that name a coarse model and one for each fold; they have learned nothing, and see objects anywhere."""
    root = tmp_path_factory.mktemp("coarse")
    training(data, root / "all").run()
    for fold in (0, 1):
        training(data, root / f"fold{fold}", "fold", fold=fold, folds=2, seed=1 + fold).run()
    models = [str(root / name / "model.pt") for name in ("all", "fold0", "fold1")]
    return {"coarse_model": models[0], "coarse_models": models[1:]}


@pytest.fixture(scope="module")
def pretrained(data: Path, coarse: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> str:
    output = tmp_path_factory.mktemp("pretrained")
    training(data, output, "pretrain_semantic", **coarse).run()
    return str(output / "encoder.pt")


@pytest.fixture(scope="module")
def product(data: Path, coarse: dict[str, Any], pretrained: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("final")
    training(data, output, "fine_tune_semantic", pretrained=pretrained, **coarse).run()
    return output / "model.pt"


def test_folds_train_on_the_other_patients(data: Path, tmp_path: Path) -> None:
    everyone = training(data, tmp_path).parser.get_parsed_content("cases")
    names: list[set[str]] = []
    for fold in (0, 1):
        made = training(data, tmp_path, "fold", fold=fold, folds=2)
        cases = made.parser.get_parsed_content("cases")
        names.append({case["case_id"].split("_")[0] for case in cases["training"]})
        assert {sample["volume"] for sample in made.parser.get_parsed_content("train#dataset").data} == {
            case["case_id"] for case in cases["training"]
        }
    assert len(names[0]) == len(names[1]) == 1
    assert names[0] | names[1] == {case["case_id"].split("_")[0] for case in everyone["training"]}


def test_masks_come_from_models_that_never_saw_the_label(data: Path, coarse: dict[str, Any], tmp_path: Path) -> None:
    parser = training(data, tmp_path, "pretrain_semantic", **coarse).parser
    cases = parser.get_parsed_content("cases")
    patients = sorted({case["case_id"].split("_")[0] for case in cases["training"]})
    labeled_slices, unlabeled_slices = (
        parser.get_parsed_content(f"train#{part}_slices") for part in ("labeled", "unlabeled")
    )
    network = parser.get_parsed_content("coarse")
    for slices, labeled in ((labeled_slices, True), (unlabeled_slices, False)):
        assert {sample["volume"] for sample in slices} == {
            case["case_id"] for case in cases["training" if labeled else "unlabeled"]
        }
        assert ("label" in slices[0]) == labeled
        for sample in slices:
            fold = patients.index(sample["case_id"].split("_")[0]) if labeled else None
            right = coarse["coarse_model"] if fold is None else coarse["coarse_models"][fold]
            for path in (coarse["coarse_model"], *coarse["coarse_models"]):
                network.load_state_dict(state(path))
                with torch.no_grad():
                    expected = network.eval()(sample["image"][None]).argmax(dim=1)
                agreement = (sample["coarse"] == expected).float().mean()
                assert (agreement > 0.999) == (path == right)  # a batch rounds otherwise than a slice alone


def test_pretraining_trains_the_encoder_but_not_the_coarse_model(
    data: Path, coarse: dict[str, Any], tmp_path: Path
) -> None:
    made = training(data, tmp_path, "pretrain_semantic", iterations=3, epoch_length=3, **coarse)
    get = made.parser.get_parsed_content
    fresh = {name: value.clone() for name, value in get("encoder").state_dict().items()}
    shapes, losses, lengths = [], [], []
    trainer = get("train#trainer")
    queue = get("loss").queue

    def look(engine: Any) -> None:
        shapes.append(tuple(engine.state.output["image"].shape))
        losses.append(engine.state.output["loss"].item())
        lengths.append(len(queue.features))

    trainer.add_event_handler(Events.ITERATION_COMPLETED, look)
    made.run()
    assert [shape[1:] for shape in shapes] == [(2, 48, 48)] * 3
    assert lengths == np.cumsum([shape[0] for shape in shapes]).tolist()
    assert set(queue.labels.tolist()) <= {1, 2, 3}
    assert np.isfinite(losses).all()
    saved = state(tmp_path / "encoder.pt")
    assert saved.keys() == fresh.keys()
    assert all(value.shape == fresh[name].shape for name, value in saved.items())
    assert not any(torch.equal(value, fresh[name]) for name, value in saved.items() if name.endswith("conv.weight"))
    frozen = get("coarse")
    trained = {id(parameter) for group in get("optimizer").param_groups for parameter in group["params"]}
    assert not trained & {id(parameter) for parameter in frozen.parameters()}
    assert all(parameter.grad is None for parameter in frozen.parameters())
    before = state(coarse["coarse_model"])
    assert all(torch.equal(value, before[name]) for name, value in frozen.state_dict().items())


def test_pretraining_needs_no_unlabeled_patient(data: Path, coarse: dict[str, Any], tmp_path: Path) -> None:
    made = training(data, tmp_path, "pretrain_semantic", num_labeled_patients=None, **coarse)
    assert made.parser.get_parsed_content("cases")["unlabeled"] == []
    volumes = {sample["volume"] for sample in made.parser.get_parsed_content("train#slices")}
    assert volumes == {case["case_id"] for case in made.parser.get_parsed_content("cases")["training"]}
    made.run()
    assert (tmp_path / "encoder.pt").is_file()


@pytest.mark.parametrize("overlay", ["pretrain_semantic", "fine_tune_semantic"])
@pytest.mark.parametrize("hidden", [False, True])
def test_mask_only_hides_the_image(
    data: Path, coarse: dict[str, Any], tmp_path: Path, overlay: str, hidden: bool
) -> None:
    made = training(data, tmp_path, overlay, mask_only=hidden, iterations=1, epoch_length=1, **coarse)
    seen: list[torch.Tensor] = []
    made.parser.get_parsed_content("network").register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    made.run()
    assert len(seen) == 1
    assert seen[0][:, 0].any() != hidden
    assert seen[0][:, 1].flatten(1).any(dim=1).any()
    assert set(seen[0][:, 1].unique().tolist()) == {0, 1}
    if overlay == "fine_tune_semantic":
        assert made.parser.get_parsed_content("coarse_to_fine").mask_only == hidden


def test_fine_tuning_transforms_coarse_and_exact_masks_alike(
    data: Path, coarse: dict[str, Any], tmp_path: Path
) -> None:
    """Without jitter, an exact mask comes out as its own target, through all moves; a predicted one does not."""
    still = {"shift": 0.0, "scale": 0.0, "radius": 0, "elastic": 0.0}
    made = training(data, tmp_path, "fine_tune_semantic", jitter=still, coarse_model=coarse["coarse_model"])
    get = made.parser.get_parsed_content
    image, target = get("train#prepare_batch")(next(iter(get("train#dataloader"))))
    assert image.shape == (4, 2, 48, 48)
    assert torch.equal(image[:, 1:], target.float())
    assert target.any()
    predicted = training(data, tmp_path, "fine_tune_semantic", jitter=still, **coarse).parser.get_parsed_content
    image, target = predicted("train#prepare_batch")(next(iter(predicted("train#dataloader"))))
    assert image[:, 1:].any()
    assert target.any()
    assert not torch.equal(image[:, 1:], target.float())


def test_jitter_is_stronger_where_masks_are_exact(data: Path, coarse: dict[str, Any], tmp_path: Path) -> None:
    predicted = training(data, tmp_path, "fine_tune_semantic", **coarse).parser.get_parsed_content("jitter")
    exact = training(data, tmp_path, "fine_tune_semantic", coarse_model=coarse["coarse_model"]).parser
    assert all(exact.get_parsed_content("jitter")[name] > value for name, value in predicted.items())


def test_product_is_one_network_with_the_coarse_model_in_it(
    coarse: dict[str, Any], pretrained: str, product: Path
) -> None:
    parts = state(product)
    before = state(coarse["coarse_model"])
    assert all(torch.equal(parts[f"coarse.{name}"], value) for name, value in before.items())
    encoder = state(pretrained)
    fine = {name.removeprefix("attended.encoder."): v for name, v in parts.items() if ".encoder." in name}
    fine = {name: value for name, value in fine.items() if not name.startswith("coarse.")}
    assert fine.keys() == encoder.keys()
    moved = [(fine[name] - value).abs().max().item() for name, value in encoder.items()]
    assert 0 < max(moved) < 0.05  # two small steps away from what was pre-trained


def test_inference_runs_it_unchanged(data: Path, product: Path, tmp_path: Path) -> None:
    options = {"checkpoint": str(product), "encoder_def#channels": CHANNELS, "device": "cpu", "section": "test"}
    made = workflow(data, tmp_path, "inference", "inference_semantic", **options)
    made.run()
    masks = sorted(tmp_path.glob("*_seg.nii.gz"))
    assert masks
    for path in masks:
        mask = np.asanyarray(nib.load(path).dataobj)
        assert mask.shape == (56, 48, 4)
        assert set(np.unique(mask)) <= {0, 1, 2, 3}


def test_one_patient_takes_exact_masks(data: Path, coarse: dict[str, Any], tmp_path: Path) -> None:
    one = {"num_labeled_patients": 1, "coarse_model": coarse["coarse_model"]}
    slices = training(data, tmp_path, "fine_tune_semantic", **one).parser.get_parsed_content("train#slices")
    assert all(torch.equal(sample["coarse"], sample["label"]) for sample in slices)
    training(data, tmp_path, "fine_tune_semantic", **one).run()
    assert (tmp_path / "model.pt").is_file()


def test_clusters_take_the_place_of_masks(data: Path, tmp_path: Path) -> None:
    """S3-Net's clusters as objects: no label is there, and no coarse model."""
    images = tmp_path / "images"
    shutil.copytree(data / "images", images)
    names = {"num_labeled_patients": None, "clusters": 3}
    training(images, tmp_path / "clusters", "pretrain_s3net", **names).run()
    model = str(tmp_path / "clusters" / "pretraining.pt")
    overlays = ("pretrain_semantic", "pretrain_semantic_label_free")
    made = training(images, tmp_path / "encoder", *overlays, clusters_model=model, **names)
    get = made.parser.get_parsed_content
    samples, network = get("train#slices"), get("clustering")
    assert len({sample["volume"] for sample in samples}) == len(list(images.iterdir()))
    with torch.no_grad():
        expected = network.eval()(samples[0]["image"][None]).argmax(dim=1) + 1
    assert (samples[0]["clusters"] == expected).float().mean() > 0.999
    views, classes = get("train#prepare_batch")(next(iter(get("train#dataloader"))))
    assert set(classes.tolist()) <= {1, 2, 3}
    assert views[:, 1].flatten(1).any(dim=1).all()
    made.run()
    assert (tmp_path / "encoder" / "encoder.pt").is_file()


def other_encoder(name: str, in_channels: str) -> dict[str, Any]:
    if name == "resnet":
        sizes = {"model_name": "resnet10", "pretrained": False, "spatial_dims": 2, "in_channels": in_channels}
        return {"_target_": "monai.networks.nets.ResNetFeatures", **sizes}
    sizes = {"spatial_dims": 2, "num_clusters": 3, "channels": [4, 6, 8], "num_blocks": [0, 1, 1]}
    network = {"_target_": "s3net_monai.networks.S3Net", "in_channels": in_channels, **sizes}
    return {"_target_": "s3net_monai.networks.S3NetEncoder", "network": network}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["s3net", "resnet"])
def test_any_encoder_goes_through_all_stages(data: Path, tmp_path: Path, name: str) -> None:
    """docs/few_labels.md: another encoder is `encoder_def`, and `attended_encoder_def` with one channel more."""
    plain = {"encoder_def": other_encoder(name, "@in_channels"), "iterations": 1, "epoch_length": 1}
    both = {**plain, "attended_encoder_def": other_encoder(name, "$@in_channels + 1")}
    training(data, tmp_path / "coarse", **plain).run()
    both["coarse_model"] = str(tmp_path / "coarse" / "model.pt")
    training(data, tmp_path / "encoder", "pretrain_semantic", **both).run()
    both["pretrained"] = str(tmp_path / "encoder" / "encoder.pt")
    training(data, tmp_path / "final", "fine_tune_semantic", **both).run()
    encoders = {"encoder_def": plain["encoder_def"], "attended_encoder_def": both["attended_encoder_def"]}
    options = {"checkpoint": str(tmp_path / "final" / "model.pt"), "device": "cpu", "section": "test"}
    workflow(data, tmp_path / "masks", "inference", "inference_semantic", **encoders, **options).run()
    assert list((tmp_path / "masks").glob("*_seg.nii.gz"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["s3net", "resnet"])
def test_any_encoder_is_attended_by_clusters(data: Path, tmp_path: Path, name: str) -> None:
    encoder = {"encoder_def": other_encoder(name, "@in_channels"), "clusters": 3, "iterations": 1, "epoch_length": 1}
    training(data, tmp_path / "clusters", "pretrain_s3net", **encoder).run()
    model = str(tmp_path / "clusters" / "pretraining.pt")
    overlays = ("pretrain_semantic", "pretrain_semantic_label_free")
    attended = other_encoder(name, "$@in_channels + 1")
    both = {**encoder, "attended_encoder_def": attended, "clusters_model": model}
    training(data, tmp_path / "encoder", *overlays, **both).run()
    assert (tmp_path / "encoder" / "encoder.pt").is_file()


def test_every_class_is_an_object(data: Path, tmp_path: Path) -> None:
    for overlay in ("pretrain_semantic", "fine_tune_semantic"):
        parser = training(data, tmp_path, overlay, out_channels=6).parser
        assert parser.get_parsed_content("attention_classes") == [1, 2, 3, 4, 5]
    parser = ConfigParser()
    parser.read_config([str(CONFIGS / f"{name}.json") for name in ("inference", "inference_semantic")])
    parser["out_channels"] = 6
    assert parser.get_parsed_content("network_def").classes == [1, 2, 3, 4, 5]


def causes(caught: pytest.ExceptionInfo[BaseException]) -> str:
    said, error = [], caught.value
    while error is not None:
        said.append(str(error))
        error = error.__cause__  # type: ignore[assignment]
    return "\n".join(said)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"coarse_model": ""}, "no path: no such checkpoint of a network; train one"),
        ({"coarse_model": "encoder"}, "its network does not fit: encoder"),
        ({"pretrained": "coarse"}, "its encoder does not fit"),
        ({"coarse_models": ["coarse"] * 3}, "3 folds over 2 labeled patients"),
        ({"coarse_models": "fold0.pt,fold1.pt"}, "coarse_models is 'fold0.pt,fold1.pt', expected a list"),
        ({"attention_classes": [7]}, "shows one of the classes [7] under 'coarse'"),
    ],
)
def test_what_does_not_fit_is_refused(
    data: Path, coarse: dict[str, Any], pretrained: str, tmp_path: Path, change: dict[str, Any], expected: str
) -> None:
    files = {"coarse": coarse["coarse_model"], "encoder": pretrained}

    def named(value: Any) -> Any:
        return [named(one) for one in value] if isinstance(value, list) else files.get(value, value)

    options = {**coarse, **{key: named(value) for key, value in change.items()}}
    with pytest.raises(RuntimeError, match="Failed to") as caught:
        training(data, tmp_path, "fine_tune_semantic", **options).run()
    assert expected in causes(caught)
