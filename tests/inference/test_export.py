"""Exported bundles, loaded again."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import torch

from s3net_monai.inference import UsageError, load_bundle
from s3net_monai.inference.export import export_bundle


@pytest.mark.slow
def test_exported_networks_match_the_bundle(skin_bundle: Path, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra 'export'")
    written, problems = export_bundle("skin", skin_bundle, tmp_path / "out")
    assert problems == []
    assert [path.name for path in written] == ["toy_skin.zip", "toy_skin.ts", "toy_skin.onnx"]
    image = torch.rand(1, 3, 8, 8) * 255
    expected = load_bundle("skin", skin_bundle, torch.device("cpu")).network(image).detach()
    torch.testing.assert_close(torch.jit.load(written[1])(image), expected)
    session = onnxruntime.InferenceSession(written[2])
    output = session.run(None, {session.get_inputs()[0].name: image.numpy()})[0]
    torch.testing.assert_close(torch.from_numpy(output), expected, atol=1e-4, rtol=1e-4)
    with zipfile.ZipFile(written[0]) as archive:
        names = archive.namelist()
    assert "toy_skin/configs/inference.json" in names
    assert "toy_skin/models/model.pt" in names
    with zipfile.ZipFile(written[1]) as archive:  # MONAI Deploy looks for the configs below the name of the file
        names = archive.namelist()
    assert {name.split("/")[0] for name in names} == {"toy_skin"}
    assert "toy_skin/extra/inference.json" in names
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(path.name for path in written)


def test_bundle_without_weights_is_refused(skin_bundle: Path, tmp_path: Path) -> None:
    (skin_bundle / "models" / "model.pt").unlink()
    with pytest.raises(UsageError, match="no weights"):
        export_bundle("skin", skin_bundle, tmp_path)
