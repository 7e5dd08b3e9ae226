"""Keys of the command line that no config has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from s3net_monai.engines.config_keys import check_config_keys
from s3net_monai.utils.errors import UsageError
from tests.helpers.paths import BUNDLES

CONFIGS = {
    "training": ("train",),
    "fine-tuning": ("train", "fine_tune"),
    "several GPUs": ("train", "multi_gpu_train"),
    "inference": ("inference",),
    "evaluation": ("inference", "evaluate"),
}
NETWORK = {
    "lung": "network_def#network",
    "skin": "network_def#network",
    "cardiac": "encoder_def",
    "abdom": "encoder_def",
}


WORKFLOWS = [
    pytest.param(bundle, workflow, id=f"{workflow}-{bundle.name}")
    for bundle in sorted(BUNDLES.glob("*_segmentation"))
    for workflow, names in CONFIGS.items()
    if all((bundle / "configs" / f"{name}.json").is_file() for name in names)
]
# Settings of a config that an overlay of it has no use for.
UNUSED = [
    ("lung_ct_segmentation", ("train", "fine_tune"), "--resume"),
    ("skin_lesion_segmentation", ("train", "fine_tune"), "--assignment_threshold"),
    ("cardiac_mr_segmentation", ("train", "fine_tune"), "--num_labeled_patients"),
    ("cardiac_mr_segmentation", ("train", "self_train"), "--pretrained"),
    ("abdominal_ct_slices_segmentation", ("train", "self_train"), "--pretrained"),
    ("lung_ct_segmentation", ("inference",), "--per_image_inferer#steps"),
]


def words(files: list[Path], *options: str) -> list[str]:
    return ["run", "training", "--config_file", str([str(path) for path in files]), *options]


def refused(files: list[Path], *options: str) -> list[str]:
    with pytest.raises(UsageError) as refusal:
        check_config_keys(words(files, *options))
    return str(refusal.value).splitlines()


@pytest.mark.parametrize(("bundle", "workflow"), WORKFLOWS)
def test_misspelt_keys_of_every_workflow_are_refused_with_the_nearest(bundle: Path, workflow: str) -> None:
    files = [bundle / "configs" / f"{name}.json" for name in CONFIGS[workflow]]
    network = next(key for task, key in NETWORK.items() if bundle.name.startswith(task))
    options = ["--dataset_dri", "x", f"--{network}#channel", "[4,4]", "--outputdir=y", "--device", "cpu"]
    assert refused(files, *options) == [
        "--dataset_dri: no config has this key; did you mean --dataset_dir?",
        f"--{network}#channel: no config has this key; did you mean --{network}#channels?",
        "--outputdir: no config has this key; did you mean --output_dir?",
    ]


@pytest.fixture
def config(tmp_path: Path) -> list[Path]:
    """A config with a component, a group of named steps, and an overlay with a key of its own."""
    content: dict[str, Any] = {
        "max_epochs": 8,
        "learning_rate": 0.1,
        "network_def": {"_target_": "torch.nn.Conv2d", "in_channels": 1, "out_channels": 4, "kernel_size": 1},
        "scaling": {"_target_": "ScaleIntensityd", "keys": "image"},
        "train": {"steps": {"flip": {"_target_": "RandFlipd", "keys": "image"}}, "handlers": [{"_target_": "print"}]},
        "jitter": {"shift": 0.1},
        "training": ["$print(@max_epochs, @learning_rate, @network_def, @scaling, @train, @jitter, @my_own)"],
    }
    (tmp_path / "train.json").write_text(json.dumps(content))
    (tmp_path / "mine.json").write_text(json.dumps({"my_own": 1, "train#steps#mine": {"_target_": "RandFlipd"}}))
    return [tmp_path / "train.json", tmp_path / "mine.json"]


@pytest.mark.parametrize(
    "options",
    [
        ["--max_epochs", "2", "--max-epochs", "2", "--max_epochs=2"],
        ["--my_own", "2", "--train#steps#mine#prob", "0.5"],  # of an overlay
        ["--network_def#bias", "False", "--network_def::padding", "1"],  # arguments that the config leaves out
        ["--scaling#minv", "-1", "--scaling#_disabled_", "True"],
        ["--train#steps#noise", "{'_target_': 'RandGaussianNoised', 'keys': 'image'}"],  # one more step
        ["--train#steps#noise", "%scaling"],
        ["--train#handlers#0#x", "1"],
        ["--_meta_#version", "1", "--meta_file", "m.json", "--logging_file", "l.conf", "--init_id", "i"],
        ["--tracking", "mlflow", "--experiment_name", "x"],
    ],
)
def test_keys_that_exist_pass(config: list[Path], options: list[str]) -> None:
    check_config_keys(words(config, *options))


@pytest.mark.parametrize(
    ("option", "nearest"),
    [
        ("--max_epoch", "did you mean --max_epochs?"),
        ("--learning-rat", "did you mean --learning_rate?"),
        ("-max_epoch", "did you mean --max_epochs?"),
        ("--network_def#in_channel", "did you mean --network_def#in_channels?"),
        ("--network_def::kernal_size", "did you mean --network_def#kernel_size?"),
        ("--train#steps#flip#probability", "did you mean --train#steps#flip#prob?"),
        ("--train#steps#flop", "did you mean --train#steps#flip?"),
        ("--jitter#shft", "did you mean --jitter#shift?"),
        ("--experiment_name", "found beside it: learning_rate, max_epochs, my_own, training"),  # without --tracking
    ],
)
def test_keys_that_do_not_exist_are_refused(config: list[Path], option: str, nearest: str) -> None:
    (line,) = refused(config, option, "1")
    assert line.endswith(f": no config has this key; {nearest}")


@pytest.mark.parametrize(("bundle", "names", "option"), UNUSED)
def test_a_setting_that_the_run_would_ignore_is_refused(bundle: str, names: tuple[str, ...], option: str) -> None:
    files = [BUNDLES / bundle / "configs" / f"{name}.json" for name in names]
    run = ["run", *(["training"] if names[0] == "train" else []), "--config_file", str([str(file) for file in files])]
    check_config_keys([*run, "--output_dir", "x", "--dataset_dir", "x", "--device", "cpu", "--amp", "False"])
    with pytest.raises(UsageError, match=rf"^{option}: this run does not use it; leave it out"):
        check_config_keys([*run, option, "1"])


@pytest.mark.parametrize("bundle", sorted(BUNDLES.glob("*_segmentation")), ids=lambda path: path.name)
@pytest.mark.parametrize(("name", "run"), [("train", ["run", "training"]), ("train", ["run"]), ("inference", ["run"])])
def test_every_setting_of_a_config_alone_is_used(bundle: Path, name: str, run: list[str]) -> None:
    """Whoever sets it on the command line must not be refused."""
    file = bundle / "configs" / f"{name}.json"
    plain = {
        key: value
        for key, value in json.loads(file.read_text()).items()
        if not isinstance(value, (dict, list)) and key != "training"
    }
    assert len(plain) > 5
    check_config_keys([*run, "--config_file", str(file), *(f"--{key}={value}" for key, value in plain.items())])


@pytest.mark.parametrize("value", ["false", "true"])
def test_a_word_is_not_taken_for_true(config: list[Path], value: str) -> None:
    (line,) = refused(config, "--max_epochs", value)
    assert line == f"--max_epochs {value}: a word, and so always true; write {value.capitalize()}"
    check_config_keys(words(config, "--max_epochs", value.capitalize()))


def test_a_file_of_arguments_is_checked_as_well(config: list[Path], tmp_path: Path) -> None:
    arguments = tmp_path / "arguments.json"
    arguments.write_text(json.dumps({"config_file": str(config[0]), "max_epoch": 2}))
    with pytest.raises(UsageError, match=r"--max_epoch: no config has this key; did you mean --max_epochs\?"):
        check_config_keys(["run", "--args_file", str(arguments)])


def test_configs_may_come_as_one_text_with_commas(config: list[Path]) -> None:
    check_config_keys(["run", "training", "--config_file", ",".join(map(str, config)), "--my_own", "2"])
