"""What the program's processes import, and that what they postpone works in full when it is used."""

from __future__ import annotations

import json
import subprocess
import sys

import monai
import numpy as np
import pytest
from PIL import Image

from s3net_monai.utils import quick_monai
from tests.helpers.paths import ROOT

UNUSED = (
    "jsonschema",
    "matplotlib",
    "monai.engines",
    "monai.handlers",
    "monai.metrics",
    "nibabel",
    "pandas",
    "pydicom",
    "requests",
    "scipy.signal",
    "scipy.stats",
    "sklearn",
    "sympy",
    "tensorboard",
    "torch._dynamo",
    "torch.distributed.fsdp",
    "torch.onnx",
    "torchvision",
)
RUN = """
import sys
from s3net_monai.cli import main
code = main()
print(" ".join(sys.modules))
sys.exit(code)
"""


def python(code: str, *arguments: object) -> str:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The modules of a process that segments a picture, and of its reader, by "program" and "reader"."""
    folder = tmp_path_factory.mktemp("run")
    Image.fromarray(np.arange(64 * 64 * 3, dtype=np.uint16).reshape(64, 64, 3).astype(np.uint8)).save(folder / "a.png")
    write = f"__import__('pathlib').Path('{folder}/reader').write_text(' '.join(__import__('sys').modules))"
    step = {"_target_": "Lambdad", "keys": "image", "func": f"$lambda image: ({write}, image)[1]"}
    (folder / "overlay.json").write_text(json.dumps({"image_transforms#modules": step}))
    output = python(
        RUN,
        *("segment", folder / "a.png", "--task", "skin", "--output", folder / "out", "--device", "cpu"),
        *("--config", folder / "overlay.json"),
    )
    assert "1 ok, 0 failed" in output
    return {"program": set(output.split()), "reader": set((folder / "reader").read_text().split())}


@pytest.mark.parametrize("process", ["program", "reader"])
def test_a_picture_needs_no_module_of_other_work(imported: dict[str, set[str]], process: str) -> None:
    assert {"torch", "monai.transforms", "s3net_monai.io.image_2d"} <= imported[process]
    assert [name for name in UNUSED if name in imported[process]] == []


@pytest.mark.slow
def test_what_was_postponed_is_the_real_thing_when_it_is_used() -> None:
    """Each line uses what MONAI imported as a stand-in: a module, a function, a class, a class in ``isinstance``."""
    python(
        """
import sys
from s3net_monai.utils.quick_monai import DEFERRED, import_monai
import_monai()
assert not [name for name in DEFERRED if name in sys.modules], sys.modules.keys()
import numpy as np
import monai
array = np.eye(3)
assert monai.transforms.utils.ndimage.sum(array) == 3
assert monai.transforms.utils.morphology.dilation(array > 0).sum() == 7
assert monai.data.ultrasound_confidence_map.csc_matrix(array).nnz == 3
assert monai.transforms.LoadImage().readers
loaded = ("nibabel" in sys.modules, "pydicom" in sys.modules)
assert loaded == (False, False)
asked, found = monai.utils.module.optional_import("pydicom")
assert found and asked.Dataset is __import__("pydicom").Dataset
import nibabel
image = nibabel.Nifti1Image(array, np.eye(4))
assert isinstance(image, monai.data.image_reader.Nifti1Image)
assert not isinstance(array, monai.data.image_reader.Nifti1Image)
import matplotlib.pyplot
assert monai.utils.jupyter_utils.plt.figure is matplotlib.pyplot.figure
class Checked(ignite_checkpoint := sys.modules["ignite.handlers.checkpoint"].ZeroRedundancyOptimizer): pass
from torch.distributed.optim import ZeroRedundancyOptimizer
assert issubclass(Checked, ZeroRedundancyOptimizer) and issubclass(Checked, ignite_checkpoint)
assert monai.networks.nets.UNet.__module__ == "monai.networks.nets.unet"
assert "monai.losses" not in sys.modules
assert monai.losses.dice.DiceLoss is monai.losses.DiceLoss
assert not hasattr(monai, "nonsense")
"""
    )


@pytest.mark.slow
def test_names_in_configs_mean_the_same_components() -> None:
    table = "print(json.dumps(names._components_table))"
    expected = python(f"""
import json
from monai.bundle import ComponentLocator
names = ComponentLocator()
assert names.get_component_module_name("UNet") == "monai.networks.nets.unet"
{table}
""")
    found = python(f"""
import json, sys
from s3net_monai.utils.quick_monai import import_monai
import_monai()
from s3net_monai.inference.component_names import ComponentNames
names = ComponentNames()
assert names.get_component_module_name("LoadImaged") == "monai.transforms.io.dictionary"
assert names.get_component_module_name("monai.losses.DiceLoss") is None
assert "monai.losses" not in sys.modules
assert names.get_component_module_name("DiceLoss") == "monai.losses.dice"
{table}
""")
    assert json.loads(found) == json.loads(expected)


def test_a_session_of_a_user_imports_monai_as_it_is() -> None:
    quick_monai.import_monai()
    assert monai.networks.nets.__file__
    assert not quick_monai.import_rest()
