"""In-memory datastore with the part of MONAI Label's interface that strategies use."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any


class Images:
    """Images by name; all lack labels until ``labeled`` names them."""

    def __init__(self, paths: dict[str, Path]) -> None:
        self.paths = paths
        self.infos: dict[str, dict[str, Any]] = {name: {} for name in paths}
        self.labeled: list[str] = []

    def list_images(self) -> list[str]:
        return list(self.paths)

    def get_labeled_images(self) -> list[str]:
        return self.labeled

    def get_unlabeled_images(self) -> list[str]:
        return [name for name in self.paths if name not in self.labeled]

    def get_image_uri(self, image_id: str) -> str:
        return str(self.paths[image_id])

    def get_image_info(self, image_id: str) -> dict[str, Any]:
        return self.infos[image_id]

    def update_image_info(self, image_id: str, info: dict[str, Any]) -> None:
        self.infos[image_id].update(info)

    def serve(self, image_id: str) -> None:
        """Record what the server records when it hands out an image."""
        self.infos[image_id]["strategy"] = {"consistency": {"ts": int(time.time())}}
