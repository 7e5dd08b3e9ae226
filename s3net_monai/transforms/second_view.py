"""A second appearance of an image in the same sample."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

from monai.config import KeysCollection
from monai.transforms import MapTransform, Randomizable


class SecondViewd(MapTransform, Randomizable):
    """Add a transformed copy of every image under a key of its own.

    The image itself stays as it is. This is for methods that compare two appearances of the same pixels: apply spatial
    transforms first, then change the intensities of the second view.

    Args:
        keys: images.
        transform: applied to a sample that holds the image alone, under the same key; random transforms are seeded from
            here.
        postfix: of the second view's key, so that "image" gives "image_second".

    Example:
        >>> import torch
        >>> from monai.transforms import ScaleIntensityd
        >>> sample = SecondViewd("image", ScaleIntensityd("image"))({"image": torch.tensor([[0.0, 4.0]])})
        >>> sample["image"].tolist(), sample["image_second"].tolist()
        ([[0.0, 4.0]], [[0.0, 1.0]])
    """

    def __init__(
        self,
        keys: KeysCollection,
        transform: Callable[[dict[Hashable, Any]], dict[Hashable, Any]],
        postfix: str = "second",
    ) -> None:
        super().__init__(keys)
        self.transform, self.postfix = transform, postfix

    def set_random_state(self, seed: int | None = None, state: Any = None) -> SecondViewd:
        """Seed ``transform``."""
        super().set_random_state(seed, state)
        if isinstance(self.transform, Randomizable):
            self.transform.set_random_state(seed, state)
        return self

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return a copy of the sample with a second view per image."""
        sample = dict(data)
        for key in self.key_iterator(sample):
            sample[f"{key}_{self.postfix}"] = self.transform({key: sample[key]})[key]
        return sample
