"""Tests of fitting a new network to one image."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from torch import Tensor

from s3net_monai.engines import FlipTTAInferer, PerImageInferer, TwoViews
from s3net_monai.losses import LabelFreeLoss
from s3net_monai.networks import ClusterToClass, S3Net
from s3net_monai.utils.errors import CaseError
from tests.helpers.s3net_terms import S3NET_WEIGHTS, terms


def two_tone(center: tuple[float, float] = (22, 26), size: tuple[int, int] = (48, 48)) -> tuple[Tensor, Tensor]:
    """Return a brown disc on skin with a little noise, (1, 3, X, Y), and its mask (X, Y)."""
    x, y = np.indices(size)
    lesion = torch.from_numpy(np.hypot(x - center[0], y - center[1]) < 12)
    brown, skin = torch.tensor([0.35, 0.2, 0.15]), torch.tensor([0.8, 0.65, 0.6])
    image = torch.where(lesion, brown[:, None, None], skin[:, None, None])
    return (image + 0.02 * torch.randn(image.shape, generator=torch.Generator().manual_seed(0)))[None], lesion


def dice(first: Tensor, second: Tensor) -> float:
    return 2 * float((first & second).sum()) / float(first.sum() + second.sum())


def darkness(image: np.ndarray) -> np.ndarray:
    return 1 - image.mean(axis=0)


def inferer(**settings: Any) -> PerImageInferer:
    torch.manual_seed(0)
    network = ClusterToClass(S3Net(in_channels=3, num_clusters=4, channels=8, num_blocks=1))
    settings = {"weak_label": darkness, "tta_inferer": FlipTTAInferer(quarter_turns=[0]), **settings}
    return PerImageInferer(
        network, LabelFreeLoss(terms(**S3NET_WEIGHTS), network.assignment_matrix), views=TwoViews(), **settings
    )


class Counting(TwoViews):
    steps = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.steps += 1
        return super().__call__(*args, **kwargs)


def untouched(network: Any) -> Tensor:
    raise AssertionError("the trained network was called")


def state(module: torch.nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def equal_states(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_segments_a_two_tone_image_in_a_few_steps(context: Any) -> None:
    fitter, (image, lesion) = inferer(steps=25, min_clusters=1), two_tone()
    original = state(fitter.network)
    with context():
        result = fitter(image, untouched)
    assert result.shape == (1, 2, 48, 48)
    assert not result.requires_grad
    torch.testing.assert_close(result.sum(dim=1), torch.ones(1, 48, 48))
    assert dice(result[0, 1] > 0.5, lesion) > 0.9
    assert equal_states(original, fitter.network.state_dict())
    assert fitter.network.training
    assert all(parameter.grad is None for parameter in fitter.network.parameters())


@torch.no_grad()
def test_a_fit_that_diverges_is_refused() -> None:
    """Its masks would be those of a network of NaN."""
    image, _ = two_tone(size=(32, 32))
    with pytest.raises(CaseError, match=r"^the loss of the fit is nan at step [23], so there is no network"):
        inferer(steps=5, learning_rate=1e30)(image, untouched)


@torch.no_grad()
def test_seeds_repeat() -> None:
    fitter, (image, _) = inferer(steps=3), two_tone(size=(32, 32))
    results = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        results.append(fitter(image, untouched))
    assert torch.equal(results[0], results[1])
    assert not torch.allclose(results[0], results[2], atol=1e-5)


@torch.no_grad()
def test_every_image_of_a_batch_is_fitted_separately() -> None:
    fitter = inferer(steps=2)
    first, second = two_tone(size=(32, 32))[0], two_tone((12, 18), size=(32, 32))[0]
    torch.manual_seed(4)
    together = fitter(torch.cat([first, second]), untouched)
    torch.manual_seed(4)
    separate = torch.cat([fitter(first, untouched), fitter(second, untouched)])
    assert torch.equal(together, separate)


@torch.no_grad()
def test_views_come_from_one_fit_and_average_to_the_result() -> None:
    views = Counting()
    fitter, (image, _) = inferer(steps=2, tta_inferer=FlipTTAInferer()), two_tone(size=(32, 32))
    fitter.make_views = views
    torch.manual_seed(4)
    maps = list(fitter.views(image, untouched))
    assert views.steps == 2
    assert len(maps) == 8
    torch.manual_seed(4)
    torch.testing.assert_close(torch.stack(maps).mean(dim=0), fitter(image, untouched))


@pytest.mark.parametrize(("min_clusters", "steps", "expected"), [(4, 50, 6), (4, 3, 3), (0, 9, 9)])
def test_stops_after_six_steps_if_few_clusters_are_left(min_clusters: int, steps: int, expected: int) -> None:
    fitter, (image, _) = inferer(steps=steps, min_clusters=min_clusters), two_tone(size=(32, 32))
    fitter.make_views = Counting()
    fitter.fit(image)
    assert fitter.make_views.steps == expected


def test_the_weak_label_assigns_the_clusters() -> None:
    """The opposite weak label gives the opposite classes of the same fit."""
    image, lesion = two_tone()
    results = []
    for weak_label in (darkness, lambda image: 1 - darkness(image)):
        fitter = inferer(steps=25, min_clusters=1, weak_label=weak_label)
        torch.manual_seed(0)
        results.append(fitter(image, untouched)[0, 1] > 0.5)
    assert dice(results[0], lesion) > 0.9
    assert dice(results[1], ~lesion) > 0.9


def test_the_fitted_network_is_a_separate_copy() -> None:
    fitter, (image, _) = inferer(steps=1), two_tone(size=(32, 32))
    fitted = fitter.fit(image)
    assert not fitted.training
    assert not equal_states(state(fitter.network), state(fitted))
    shared = {value.data_ptr() for value in fitter.network.state_dict().values()}
    assert not shared & {value.data_ptr() for value in fitted.state_dict().values()}


@torch.no_grad()
def test_batch_normalization_has_statistics_of_the_image() -> None:
    """After six steps of the usual momentum the running statistics would be half their initial values."""
    image = 3 + two_tone(size=(32, 32))[0]
    fitted = inferer(steps=6).fit(image)
    inferred = fitted(image)
    torch.testing.assert_close(inferred, fitted.train()(image), rtol=0, atol=0.01)


@torch.no_grad()
def test_accepts_meta_tensors() -> None:
    image = two_tone(size=(32, 32))[0]
    result = inferer(steps=1)(MetaTensor(image), untouched)
    assert result.shape == (1, 2, 32, 32)


@torch.no_grad()
def test_volumes_from_a_config() -> None:
    config = {
        "imports": ["$from s3net_monai.transforms import lung_weak_label"],
        "inferer": {
            "_target_": "s3net_monai.engines.PerImageInferer",
            "network": {
                "_target_": "s3net_monai.networks.ClusterToClass",
                "network": {
                    "_target_": "s3net_monai.networks.S3Net",
                    "spatial_dims": 3,
                    "in_channels": 1,
                    "num_clusters": 3,
                    "channels": 4,
                    "num_blocks": 1,
                },
            },
            "loss": {
                "_target_": "s3net_monai.losses.LabelFreeLoss",
                "assignment_matrix": "$@inferer#network.assignment_matrix",
                "terms": {
                    "self_clustering": {
                        "_target_": "s3net_monai.losses.WeightedTerm",
                        "inputs": ["main"],
                        "loss": {"_target_": "s3net_monai.losses.SelfClusteringLoss"},
                    }
                },
            },
            "weak_label": "$lung_weak_label",
            "views": {"_target_": "s3net_monai.engines.TwoViews"},
            "tta_inferer": {"_target_": "s3net_monai.engines.FlipTTAInferer", "quarter_turns": [0, 2]},
            "steps": 2,
        },
    }
    parser = ConfigParser(config)
    parser.get_parsed_content("imports")
    image = torch.full((1, 1, 16, 18, 4), 0.75)
    image[..., 4:12, 5:13, :] = 0.1
    result = parser.get_parsed_content("inferer")(image, untouched)
    assert result.shape == (1, 2, 16, 18, 4)
    assert torch.isfinite(result).all()
