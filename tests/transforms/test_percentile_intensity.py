"""Intensities between percentiles: as MONAI scales them, and where MONAI cannot."""

from __future__ import annotations

import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from monai.transforms import NormalizeIntensity, ScaleIntensityRangePercentiles

from s3net_monai.transforms import PercentileIntensityd
from tests.helpers.paths import BUNDLES


def scaled(image: torch.Tensor) -> MetaTensor:
    result: MetaTensor = PercentileIntensityd("image")({"image": MetaTensor(image)})["image"]
    return result


def test_one_channel_is_scaled_as_before_bit_by_bit() -> None:
    image = torch.randn(1, 40, 30, 6, generator=torch.Generator().manual_seed(0)) * 300 + 500
    before = ScaleIntensityRangePercentiles(1, 99, b_min=0, b_max=1, clip=True)(MetaTensor(image))
    assert torch.equal(scaled(image), before)
    normalized = NormalizeIntensity(channel_wise=True)(scaled(image))
    assert torch.equal(normalized, NormalizeIntensity()(before))


def test_nearly_all_background_is_scaled_by_the_range() -> None:
    image = torch.full((1, 50, 50, 4), 20.0)
    image[0, 20:25, 20:25, 1] = 620.0  # 0.25 % of the voxels
    image[0, 22, 22, 1] = 1020.0
    result = scaled(image)
    assert [float(result[0, 0, 0, 0]), float(result[0, 20, 20, 1]), float(result[0, 22, 22, 1])] == pytest.approx(
        [0, 0.6, 1]
    )
    assert result.meta["notes"] == [
        "more than 98 % of its values are equal, so the lowest and the highest set the scale"
    ]


@pytest.mark.parametrize("value", [0.0, 7.0, -3.0])
def test_one_value_is_zero_with_a_note(value: float) -> None:
    result = scaled(torch.full((1, 6, 5, 2), value))
    assert not result.any()
    assert result.meta["notes"] == [f"all its values are {value:g}, so there is nothing to see"]


@pytest.mark.parametrize("bundle", ["cardiac_mr_segmentation", "abdominal_ct_slices_segmentation"])
@pytest.mark.parametrize("name", ["train", "inference"])
def test_channels_of_unequal_brightness_are_equal_for_the_network(bundle: str, name: str) -> None:
    parser = ConfigParser()
    parser.read_config(str(BUNDLES / bundle / "configs" / f"{name}.json"))
    scale, normalize = (
        (
            "train#reading#scale_intensity",
            "train#normalizing#normalize",
        )
        if name == "train"
        else ("image_transforms#scale_intensity", "image_transforms#normalize")
    )
    channel = torch.rand(1, 20, 20, 3, generator=torch.Generator().manual_seed(1))
    sample = {"image": MetaTensor(torch.cat([channel, 100 * channel.flip(1)]))}
    for step in (scale, normalize):
        sample = parser.get_parsed_content(step)(sample)
    assert sample["image"].std(dim=(1, 2, 3)).tolist() == pytest.approx([1, 1], abs=0.01)
    assert sample["image"].mean(dim=(1, 2, 3)).tolist() == pytest.approx([0, 0], abs=0.01)
