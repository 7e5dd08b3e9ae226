"""A CT whose values are not HU, padded, or wrapped gives the network what the clean one gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor

from data_prep.phantom_lung import lung_phantom
from s3net_monai.transforms import CTIntensityd, CTValuesd
from s3net_monai.transforms.ct_values import is_hounsfield
from s3net_monai.utils.errors import CaseError

AFFINE = torch.diag(torch.tensor([-3.75, -3.75, 7.5, 1.0], dtype=torch.float64))
NOT_HU = "the values are not Hounsfield units, so none are measured"


@pytest.fixture(scope="module")
def scan() -> np.ndarray:
    """HU (96, 96, 12) of the middle of a phantom."""
    return lung_phantom((96, 96, 36), seed=0)[0][..., 12:24].astype(np.float32)


@pytest.fixture(scope="module")
def outside() -> np.ndarray:
    """Outside the round field of view, (96, 96, 1)."""
    x, y = np.meshgrid(*[np.linspace(-1, 1, 96)] * 2, indexing="ij")
    return (x**2 + y**2 > 1)[..., None]


def values(volume: np.ndarray) -> MetaTensor:
    image: MetaTensor = CTValuesd("image")(
        {"image": MetaTensor(torch.from_numpy(volume.astype(np.float32))[None], affine=AFFINE)}
    )["image"]
    return image


def seen(volume: np.ndarray) -> np.ndarray:
    """What the network sees, (96, 96, 12)."""
    return np.asarray(CTIntensityd("image")({"image": values(volume)})["image"][0])


def notes(volume: np.ndarray) -> list[str]:
    return list(values(volume).meta.get("notes", []))


def test_hounsfield_units_pass_as_they_are(scan: np.ndarray, outside: np.ndarray) -> None:
    for volume in (scan, np.where(outside, -2000, scan), np.where(outside, -1024, scan), np.round(scan)):
        image = values(volume)
        np.testing.assert_array_equal(image[0], volume.astype(np.float32))
        assert image.meta["hounsfield"] is True
        assert notes(volume) == []


@pytest.mark.parametrize(
    "stored",
    [
        lambda hu: (hu + 1024).clip(0),
        lambda hu: hu + 1000,  # air below 0
        lambda hu: ((hu + 1024) / 3000).clip(0, 1),
        lambda hu: (hu + 1024).clip(0) * 16,
        lambda hu: (hu - hu.mean()) / hu.std(),
    ],
    ids=["offset", "offset and noise", "0 to 1", "16 bits", "z-score"],
)
@pytest.mark.parametrize("padding", [None, -2000, -1024, -32768])
def test_another_scale_is_no_hounsfield_scale(
    stored: object, padding: int | None, scan: np.ndarray, outside: np.ndarray
) -> None:
    """Padding decides nothing, and neither does one dead pixel."""
    volume = stored(scan)  # type: ignore[operator]
    lung = (scan > -900) & (scan < -700) & ~outside
    expected = seen(volume)[lung]
    volume = volume if padding is None else np.where(outside, padding, volume)
    volume[48, 48, 5] = -32768
    image = values(volume)
    assert image.meta["hounsfield"] is False
    assert image.meta["notes"][-1] == NOT_HU
    if padding is not None:
        assert image.meta["notes"][0] == f"a constant of {padding} around the scan (23% of it) was read as air"
        assert np.unique(np.asarray(image)[0][np.broadcast_to(outside, scan.shape)]).size == 1
    np.testing.assert_allclose(seen(volume)[lung], expected, atol=0.03)


def test_a_picture_of_8_bits_is_no_hounsfield_scale_without_a_note() -> None:
    image = CTValuesd("image")({"image": MetaTensor(torch.arange(100.0).reshape(1, 10, 10))})["image"]
    assert image.meta["hounsfield"] is False
    assert "notes" not in image.meta


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_negative_values_that_wrapped_are_restored(dtype: type, scan: np.ndarray, outside: np.ndarray) -> None:
    whole = np.round(scan)
    wrapped = np.where(whole < 0, whole + 65536, whole).astype(dtype)
    image = values(wrapped)
    np.testing.assert_array_equal(image[0], whole)
    assert image.meta["hounsfield"] is True
    assert image.meta["notes"] == ["its negative values had wrapped to unsigned 16 bits and were restored"]
    padded = values(np.where(outside, 63536, wrapped))
    np.testing.assert_array_equal(np.asarray(padded)[0], np.where(outside, -1024, whole))


@pytest.mark.parametrize("value", [63536, 32767, 10000, 65535])
@pytest.mark.parametrize("offset", [0, 1024])
def test_a_constant_far_above_tissue_around_the_scan_is_air(
    value: int, offset: int, scan: np.ndarray, outside: np.ndarray
) -> None:
    padded = np.where(outside, value, scan + offset)
    image = values(padded)
    assert image.meta["hounsfield"] is (offset == 0)
    assert image.meta["notes"][0] == f"a constant of {value} around the scan (23% of it) was read as air"
    inside = ~np.broadcast_to(outside, scan.shape)
    np.testing.assert_array_equal(np.asarray(image)[0][inside], (scan + offset)[inside])
    np.testing.assert_allclose(seen(padded)[~inside], 0, atol=0.02)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_padding_is_found_across_any_axis(axis: int, scan: np.ndarray, outside: np.ndarray) -> None:
    order = {0: (2, 0, 1), 1: (0, 2, 1), 2: (0, 1, 2)}[axis]
    affine = torch.zeros(4, 4, dtype=torch.float64)
    for index, world in enumerate(order):
        affine[world, index] = AFFINE[world, world]
    affine[3, 3] = 1
    padded = np.where(outside, 63536, scan).transpose(order)
    image = CTValuesd("image")({"image": MetaTensor(torch.from_numpy(padded.copy())[None], affine=affine)})["image"]
    np.testing.assert_array_equal(np.asarray(image)[0], np.where(outside, -1024, scan).transpose(order))


def test_values_that_no_ct_has_are_refused(scan: np.ndarray) -> None:
    clipped = np.where(scan < 0, 32767, scan)  # unsigned 16 bits that were read as signed
    wrapped = np.where(scan < 0, scan.astype(np.float64) + 2**32, scan)  # too coarse in float32 to be restored
    for volume in (clipped, wrapped):
        with pytest.raises(CaseError, match="at most 4096 expected in a CT; export it again in Hounsfield units"):
            values(volume)


def test_a_few_hot_pixels_change_nothing(scan: np.ndarray) -> None:
    """Neither the scale nor, where it is unknown, what is black."""
    hot = scan + 1024
    hot[::24, ::24, 5] = 65535
    cool = hot != 65535
    np.testing.assert_allclose(seen(hot)[cool], seen(scan + 1024)[cool], atol=0.01)
    hot_in_hu = np.where(cool, scan, 65535)
    assert values(hot_in_hu).meta["hounsfield"] is True
    np.testing.assert_array_equal(seen(hot_in_hu)[cool], seen(scan)[cool])


def test_the_scale_is_judged_without_the_gate_as_well(scan: np.ndarray, outside: np.ndarray) -> None:
    """As in a copy of a bundle that was made before there was one."""
    assert is_hounsfield(scan)
    assert not is_hounsfield(np.where(outside, -2000, scan + 1024))
    padded = torch.from_numpy(np.where(outside, -2000, scan + 1024))[None]
    tissue = (scan > 0) & (scan < 100)
    result = np.asarray(CTIntensityd("image")({"image": padded})["image"][0])[tissue]
    assert abs(float(np.median(result)) - 1040 / 1400) < 0.05


def test_builds_from_a_config() -> None:
    step = ConfigParser({"step": {"_target_": "s3net_monai.transforms.CTValuesd", "keys": "image"}})
    image = torch.tensor([[[-1000.0, 40.0]]])
    assert step.get_parsed_content("step")({"image": image})["image"] is image
