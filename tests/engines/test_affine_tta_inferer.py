"""Tests of test-time augmentation by rotations and zooms: its copies, and the way back."""

from __future__ import annotations

import math

import pytest
import torch
from monai.bundle import ConfigParser
from monai.inferers import SliceInferer
from torch import Tensor

from s3net_monai.engines import AffineTTAInferer


def blob(size: tuple[int, ...], center: tuple[float, float]) -> Tensor:
    """Return (1, 1, *size) with a smooth blob in every slice."""
    x, y = torch.meshgrid(*(torch.arange(length, dtype=torch.float32) for length in size[:2]), indexing="ij")
    plane = torch.exp(-((x - center[0]) ** 2 + (y - center[1]) ** 2) / 18)
    return (plane if len(size) == 2 else plane[..., None].expand(size)).reshape(1, 1, *size)


def center_of(image: Tensor) -> tuple[float, float]:
    plane = image.reshape(*image.shape[2:4], -1).mean(dim=2)
    x, y = (torch.arange(length, dtype=torch.float32) for length in plane.shape)
    return float((plane.sum(1) * x).sum() / plane.sum()), float((plane.sum(0) * y).sum() / plane.sum())


@pytest.mark.parametrize("size", [(48, 48), (60, 40), (40, 60, 3)])
@pytest.mark.parametrize(("angle", "zoom"), [(30.0, 1.0), (0.0, 1.25), (-20.0, 0.9)])
def test_copies_are_rotated_and_zoomed_about_the_center(size: tuple[int, ...], angle: float, zoom: float) -> None:
    copies: list[Tensor] = []
    middle = [(length - 1) / 2 for length in size[:2]]
    image = blob(size, (middle[0] + 8, middle[1]))
    list(AffineTTAInferer([(angle, zoom)]).views(image, lambda x: copies.append(x) or x))
    x, y = center_of(copies[0])
    offset = math.hypot(x - middle[0], y - middle[1])
    assert offset == pytest.approx(8 * zoom, abs=0.4)
    rotation = math.degrees(math.atan2(y - middle[1], x - middle[0]))
    assert abs(rotation) == pytest.approx(abs(angle), abs=2)


@pytest.mark.parametrize("size", [(48, 48), (60, 40), (40, 60, 3)])
def test_outputs_are_mapped_back(size: tuple[int, ...]) -> None:
    image = blob(size, (size[0] / 2 + 7, size[1] / 2 - 3))
    for view in AffineTTAInferer().views(image, torch.nn.Identity()):
        assert view.shape == image.shape
        torch.testing.assert_close(view, image, rtol=0, atol=0.08)


def test_the_first_view_is_untransformed_and_the_call_averages() -> None:
    image = torch.rand(2, 1, 16, 12)
    views = list(AffineTTAInferer().views(image, torch.nn.Tanh()))
    assert torch.equal(views[0], image.tanh())
    assert len(views) == 5
    torch.testing.assert_close(AffineTTAInferer()(image, torch.nn.Tanh()), torch.stack(views).mean(dim=0))


def test_runs_on_slices_from_a_config() -> None:
    parser = ConfigParser(
        {
            "inferer": {
                "_target_": "s3net_monai.engines.AffineTTAInferer",
                "base": {"_target_": "SliceInferer", "roi_size": [-1, -1], "spatial_dim": 2},
            }
        }
    )
    inferer = parser.get_parsed_content("inferer")
    assert isinstance(inferer.base, SliceInferer)
    assert inferer(torch.rand(1, 1, 16, 12, 3), torch.nn.Conv2d(1, 4, 3, padding=1)).shape == (1, 4, 16, 12, 3)


@pytest.mark.parametrize("angles_and_zooms", [[], [(0, 1), (5, 0)]])
def test_no_copies_and_zoom_zero_are_refused(angles_and_zooms: list[tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match="expected pairs"):
        AffineTTAInferer(angles_and_zooms)
