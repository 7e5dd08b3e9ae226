"""A label on the grid on which its image is stored."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform

from s3net_monai.io.label_maps.grid import Grid
from s3net_monai.io.label_maps.label_map import LabelMap
from s3net_monai.io.label_maps.place_label import place_label


class LabelOnImaged(MapTransform):
    """Bring labels, by their affines, to the grid on which the image is stored, or refuse them.

    Axes are permuted and flipped, and nothing is interpolated, so the label of a mirrored or differently stored volume
    goes where its image goes. The image may already be resampled: its source's grid is what its metadata states.

    Args:
        keys: labels (1, X, Y[, Z]) as ``LabelReader`` loads them.
        image_key: the image (C, X, Y[, Z]).
        allow_missing_keys: whether a sample may lack some of ``keys``, as unlabeled images do.

    Raises:
        CaseError: as ``on_grid``.

    Example:
        >>> import torch
        >>> from monai.data import MetaTensor
        >>> image = MetaTensor(torch.zeros(1, 3, 1, 1), meta={"spatial_shape": [3, 1, 1]}, affine=2 * torch.eye(4))
        >>> mirrored = torch.diag(torch.tensor([-2.0, 2, 2, 1]))
        >>> mirrored[0, 3] = 4
        >>> label = MetaTensor(torch.tensor([1, 0, 0]).reshape(1, 3, 1, 1), affine=mirrored)
        >>> LabelOnImaged("label")({"image": image, "label": label})["label"].flatten().tolist()
        [0, 0, 1]
    """

    def __init__(self, keys: KeysCollection, image_key: str = "image", allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return a copy of the sample with its labels on the image's grid."""
        sample = dict(data)
        for key in self.key_iterator(sample):
            grid = _grid(sample[self.image_key], str(sample.get("case_id", "the image")))
            array = place_label(_label(sample[key], str(key)), grid)
            meta = {"spatial_shape": np.asarray(grid.shape), **_file_name(sample[key])}
            if grid.affine is not None:
                affine = torch.as_tensor(grid.affine)
                sample[key] = MetaTensor(
                    torch.from_numpy(array)[None], affine=affine, meta={**meta, "original_affine": affine.clone()}
                )
            else:
                sample[key] = MetaTensor(torch.from_numpy(array)[None], meta=meta)
        return sample


def _grid(image: MetaTensor, name: str) -> Grid:
    shape = tuple(int(size) for size in image.meta["spatial_shape"])
    path = Path(str(image.meta.get("filename_or_obj", "")))
    is_volume = len(shape) == 3 and "original_affine" in image.meta
    affine = np.asarray(image.meta["original_affine"], np.float64) if is_volume else None
    if len(shape) == 3 and affine is None:
        affine = np.asarray(image.affine, np.float64)
    image_2d = path if path.name and not is_volume else None
    return Grid(shape=shape, affine=affine, name=path.name or name, image_2d=image_2d)


def _label(label: MetaTensor, key: str) -> LabelMap:
    name = Path(str(label.meta.get("filename_or_obj", ""))).name or key
    array = np.asarray(label.as_tensor()[0])
    placed = "original_affine" in label.meta or (array.ndim == 3 and "cropped" not in label.meta)
    affine = np.asarray(label.affine, np.float64) if placed else None
    flags = {"cropped": bool(label.meta.get("cropped", False)), "placed": bool(label.meta.get("placed", True))}
    return LabelMap(array=array, affine=affine, name=name, **flags)


def _file_name(label: MetaTensor) -> dict[str, Any]:
    return {key: label.meta[key] for key in ("filename_or_obj",) if key in label.meta}
