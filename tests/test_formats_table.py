"""The tables of formats and measures are those of the code, and the command line's help names every format."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from s3net_monai.cli import main
from s3net_monai.file_formats import INPUTS
from s3net_monai.inference.report.measures import MEASURES
from s3net_monai.io import FORMATS
from s3net_monai.io.writers import Format
from tests.helpers.paths import ROOT


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("write_formats", ROOT / "scripts" / "write_formats.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_page_has_the_formats_of_the_code(script: ModuleType) -> None:
    assert script.main(check=True) == 0
    for page in script.PAGES:
        assert script.BLOCK.search((ROOT / page).read_text(encoding="utf-8")), page


def test_the_page_lists_every_format(script: ModuleType) -> None:
    page = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    for suffix in (suffix for format_ in INPUTS.values() for suffix in format_.suffixes):
        assert f"`{suffix}`" in page
    for name, format_ in FORMATS.items():
        assert f"| {format_.title} | `--formats {name}` | `<case>_seg{format_.extension}` |" in page


def test_a_block_is_replaced_and_the_rest_is_not(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FORMATS, "new", Format(".new", lambda mask, path: None, "Some new format", "all of it"))
    page = script.filled("a\n<!-- formats -->\nstale text\n<!-- end -->\nb\n<!-- measures -->\n<!-- end -->\nc\n")
    assert page.startswith("a\n<!-- formats -->\n\n| read | files | what is taken |\n|---|---|---|\n| NIfTI |")
    assert "| Some new format | `--formats new` | `<case>_seg.new` | all of it |" in page
    assert page.count("\n| `") == len(MEASURES)
    assert "stale text" not in page
    assert page.endswith("<!-- end -->\nc\n")
    assert script.filled(page) == page


def test_a_stale_page_is_named(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(script, "ROOT", tmp_path)
    monkeypatch.setattr(script, "PAGES", ("a.md",))
    (tmp_path / "a.md").write_text("<!-- measures -->\n<!-- end -->\n")
    assert script.main(check=True) == 1
    assert "a.md: its tables differ" in capsys.readouterr().err
    assert script.main(check=False) == 0
    assert script.main(check=True) == 0


def test_the_help_names_every_format(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["segment", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    listed = re.search(r"comma-separated: (.*?);", text)
    assert listed
    assert listed[1].replace("- ", "-").split(", ") == list(FORMATS)  # argparse breaks lines after hyphens
