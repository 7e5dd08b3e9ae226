"""MONAI Label's own app for bundles, extended by selection of images by consistency."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from monailabel.interfaces.app import MONAILabelApp
from monailabel.utils.others.class_utils import module_from_file

from s3net_monai.monailabel.strategies import ConsistencyScoring, ConsistencyStrategy

SAMPLE_APP = Path(sys.prefix, "monailabel", "sample-apps", "monaibundle", "main.py")  # where its wheel installs it
upstream = module_from_file("monaibundle", str(SAMPLE_APP))


# MONAI Label loads the class that has MONAILabelApp among its direct bases. mypy does not see into a module that is
# loaded from a file.
class App(upstream.MyApp, MONAILabelApp):  # type: ignore[name-defined]
    """The app ``monaibundle``, in which every bundle scores images and orders them for annotation."""

    def init_strategies(self) -> dict[str, Any]:
        """Return the strategies by name: one ``consistency_<bundle>`` per bundle, and those of the app."""
        consistency = {f"consistency_{name}": ConsistencyStrategy(path) for name, path in self.models.items()}
        return {**consistency, **super().init_strategies()}

    def init_scoring_methods(self) -> dict[str, Any]:
        """Return the scoring methods by name: one ``consistency_<bundle>`` per bundle, and those of the app."""
        consistency = {f"consistency_{name}": ConsistencyScoring(path) for name, path in self.models.items()}
        return {**consistency, **super().init_scoring_methods()}

    def train(self, request: dict[str, Any]) -> dict[str, Any]:
        """Train as requested, on one device; an empty value in the request means the default.

        3D Slicer sends every option that the server listed, unset ones as "", and with the run id "" MONAI would
        evaluate the whole config, including every training in it.
        """
        options = {key: value for key, value in request.items() if value != ""}
        result: dict[str, Any] = super().train({**options, "multi_gpu": False})
        return result
