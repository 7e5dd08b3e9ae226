"""Tests of the conversion of stacks to the scanner's display orientation and back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose
from scipy.spatial.transform import Rotation

from s3net_monai.transforms import DisplayOrientationd, upside_down_axes

# As a scanner stores a short-axis stack: columns to the left and back, rows to the back and feet (LPS).
ROW, COLUMN = np.array([0.64, 0.6, -0.48]), np.array([0.1, 0.55, -0.83])
LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])


def stack_affine(flips: tuple[int, ...] = (), shape: tuple[int, ...] = (4, 3, 2)) -> np.ndarray:
    """Return the RAS+ affine of the stack as stored, or after a converter has reversed axes."""
    column = COLUMN - ROW * (ROW @ COLUMN) / (ROW @ ROW)
    axes = [ROW / np.linalg.norm(ROW) * 1.5, column / np.linalg.norm(column) * 1.4]
    affine = np.eye(4)
    affine[:3, :3] = np.stack([*axes, np.cross(*axes) * 4], axis=1) * LPS_TO_RAS[:, None]
    affine[:3, 3] = (10, -20, 30)
    for axis in flips:
        affine[:3, 3] += affine[:3, axis] * (shape[axis] - 1)
        affine[:3, axis] *= -1
    return affine


@pytest.mark.parametrize("flips", [(), (0,), (1,), (0, 1), (1, 2)])
def test_axes_that_a_converter_reversed_are_flipped_back(flips: tuple[int, ...]) -> None:
    stored = torch.arange(24.0).reshape(1, 4, 3, 2)
    converted = stored.flip([axis + 1 for axis in flips])
    sample = {"image": MetaTensor(converted, affine=torch.as_tensor(stack_affine(flips)))}
    transform = Compose([DisplayOrientationd("image")])
    upright = transform(sample)
    slice_flips = [3] if 2 in flips else []
    assert torch.equal(upright["image"].as_tensor().flip(slice_flips), stored)
    if not slice_flips:
        np.testing.assert_allclose(upright["image"].affine, stack_affine(), atol=1e-9)
    restored = transform.inverse(upright)["image"]
    assert torch.equal(restored.as_tensor(), converted)
    np.testing.assert_allclose(restored.affine, stack_affine(flips), atol=1e-9)
    assert restored.applied_operations == []


def test_a_label_follows_its_image() -> None:
    stored = torch.arange(24.0).reshape(1, 4, 3, 2)
    image = MetaTensor(stored.flip(1), affine=torch.as_tensor(stack_affine((0,))))
    upright = DisplayOrientationd(["image", "label"])({"image": image, "label": MetaTensor(stored.flip(1))})
    assert torch.equal(upright["label"].as_tensor(), stored)


@pytest.mark.parametrize("axes", [(1, 1, 1), (-1, -1, 1), (-1, 1, 1), (1, -1, 8)])
def test_an_affine_along_the_patients_axes_is_ignored(axes: tuple[int, ...]) -> None:
    """Lost geometry is written so, and readers invent such an affine where both codes of a NIfTI file are zero."""
    assert upside_down_axes(np.diag([*axes, 1.0])) == []
    tilted = np.eye(4)
    tilted[:3, :3] = Rotation.from_euler("xyz", [3, -4, 2], degrees=True).as_matrix() @ np.diag(axes)
    assert upside_down_axes(tilted) == []
