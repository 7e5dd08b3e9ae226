"""The ablation: same budget for all, cached scores, and means over seeds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.utils import set_determinism
from PIL import Image
from torch import Tensor, nn

from benchmarks.common.types import BenchmarkCase
from benchmarks.label_free import ablation
from benchmarks.label_free.ablation import images_at_network_size, run_ablation, single_view_dice
from benchmarks.label_free.variants import ABLATION, LOSSES_ALONE
from s3net_monai.inference import bundle_root, load_bundle
from s3net_monai.networks import S3Net


@pytest.fixture(autouse=True)
def restore_random_state() -> Iterator[None]:
    yield
    set_determinism(None)


def image_case(folder: Path, name: str, split: str, truth: np.ndarray) -> BenchmarkCase:
    gray = np.where(truth, 40, 220).astype(np.uint8).T
    Image.fromarray(np.stack([gray] * 3, axis=-1)).save(folder / f"{name}.png")
    return BenchmarkCase(
        case_id=name, split=split, image=folder / f"{name}.png", truth=truth, spacing=(1.0, 1.0), unit="px"
    )


class Dark(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        dark = (x.mean(dim=1, keepdim=True) < 0.5).float()
        return torch.cat([1 - dark, dark], dim=1)


@pytest.fixture
def cases(tmp_path: Path) -> list[BenchmarkCase]:
    truth = np.zeros((256, 128), dtype=bool)
    truth[64:192, 32:96] = True
    half = truth.copy()
    half[128:] = False
    perfect = image_case(tmp_path, "a", "PH2", truth)
    return [perfect, replace(image_case(tmp_path, "b", "ISIC 2018 val", truth), truth=half)]


def test_score_is_the_mean_dice_of_the_central_component(cases: list[BenchmarkCase]) -> None:
    bundle = replace(load_bundle("skin", bundle_root("skin"), torch.device("cpu")), network=Dark())
    scores = single_view_dice(bundle, images_at_network_size(bundle, cases))
    assert scores["PH2"] > 0.97
    assert scores["ISIC 2018 val"] == pytest.approx(2 * 0.5 / 1.5, abs=0.02)


def test_every_variant_has_another_network_or_loss() -> None:
    from monai.bundle import ConfigParser

    built = []
    for name, overrides in ABLATION.items():
        parser = ConfigParser()
        parser.read_config(bundle_root("skin") / "configs" / "train.json")
        for key, value in {**LOSSES_ALONE, **overrides}.items():
            parser[key] = value
        network: S3Net = parser.get_parsed_content("network_def").network
        loss = parser.get_parsed_content("loss")
        assert network(torch.rand(1, 3, 96, 96)).shape[2:] == (96, 96), name
        assert "weak_label" not in loss.terms
        built.append((str(network), tuple((name, term.weight) for name, term in loss.terms.items())))
    assert len(set(built)) == len(ABLATION)


def test_means_over_seeds_and_cached_scores(
    cases: list[BenchmarkCase], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[tuple[Any, int]] = []

    def train(root: Path, overrides: dict[str, Any], *, seed: int, folder: Path) -> Path:
        trained.append((overrides["train#dataset#data"], seed))
        path = folder / "model.pt"
        if not path.is_file():
            folder.mkdir(parents=True)
            path.touch()
        return path

    values = iter([0.2, 0.4, 0.9])
    monkeypatch.setattr(ablation, "train_variant", train)
    monkeypatch.setattr(ablation, "load_bundle", lambda *_: None)
    monkeypatch.setattr(ablation, "single_view_dice", lambda *_: {"PH2": next(values)})
    monkeypatch.setattr(ablation, "images_at_network_size", lambda *_: ["an image"])
    monkeypatch.setattr(ablation, "losses_alone_settings", lambda *_: {"train#dataset#data": [0, 5]})
    monkeypatch.setattr(ablation, "ABLATION", {"full": {}})
    first = run_ablation("skin", data=tmp_path, work=tmp_path, cases=cases)
    assert first[0]["splits"]["PH2"] == {
        "mean": pytest.approx(0.5),
        "std": pytest.approx(np.std([0.2, 0.4, 0.9], ddof=1)),
        "seeds": [0.2, 0.4, 0.9],
    }
    assert trained == [([0, 5], seed) for seed in (0, 1, 2)]
    assert run_ablation("skin", data=tmp_path, work=tmp_path, cases=cases) == first
    assert run_ablation("lung", data=tmp_path, work=tmp_path, cases=cases) == []
