"""A second appearance of an image in the same sample."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

from monai.config import KeysCollection
from monai.transforms import MapTransform, Randomizable


class SecondViewd(MapTransform, Randomizable):
    """Give every image a second view under another key: what ``transform`` makes of the image, which itself stays.

    For methods that compare two appearances of the same pixels: move the image first, then recolor the second view.

    Args:
        keys: images.
        transform: of a sample that has the image alone, under the same key; random ones get their seed from here.
        postfix: of the second view's key, "image_second".
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
        sample = dict(data)
        for key in self.key_iterator(sample):
            sample[f"{key}_{self.postfix}"] = self.transform({key: sample[key]})[key]
        return sample
