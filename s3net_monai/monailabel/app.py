"""MONAI Label's own app for bundles, and with it the choice of images by our consistency score."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from monailabel.interfaces.app import MONAILabelApp
from monailabel.utils.others.class_utils import module_from_file

from s3net_monai.monailabel.strategies import ConsistencyScoring, ConsistencyStrategy

SAMPLE_APP = Path(sys.prefix, "monailabel", "sample-apps", "monaibundle", "main.py")  # where its wheel puts it
upstream = module_from_file("monaibundle", str(SAMPLE_APP))


# MONAI Label takes the class that names MONAILabelApp among its direct bases.
class App(upstream.MyApp, MONAILabelApp):  # type: ignore[name-defined]
    """The app ``monaibundle``, in which every bundle scores images and orders them for annotation."""

    def init_strategies(self) -> dict[str, Any]:
        own = {f"consistency_{name}": ConsistencyStrategy(path) for name, path in self.models.items()}
        return {**own, **super().init_strategies()}

    def init_scoring_methods(self) -> dict[str, Any]:
        own = {f"consistency_{name}": ConsistencyScoring(path) for name, path in self.models.items()}
        return {**own, **super().init_scoring_methods()}

    def train(self, request: dict[str, Any]) -> dict[str, Any]:
        """Train as asked, on one device; an empty answer means the default.

        3D Slicer sends every option that the server named, the unset ones as "", and with the run id "" MONAI would
        evaluate the whole config, every training in it.
        """
        given = {key: value for key, value in request.items() if value != ""}
        answer: dict[str, Any] = super().train({**given, "multi_gpu": False})
        return answer
