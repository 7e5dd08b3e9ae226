"""Write the software bill of materials of the product: this package with the extra ``dicom-codecs``, in CycloneDX."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

from dependencies import ROOT, closure, requirements
from packaging.utils import canonicalize_name

from s3net_monai.utils.printing import ArgumentParser, print_result
from s3net_monai.version import __version__

_VALIDATE = """
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1], encoding="utf-8").read())
sys.exit(str(problem) if problem else 0)
"""


def restricted(bill: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Return the bill of the whole environment, restricted to packages of these canonical names."""
    components = [entry for entry in bill["components"] if canonicalize_name(entry["name"]) in names]
    kept = {entry["bom-ref"] for entry in components} | {bill["metadata"]["component"]["bom-ref"]}
    dependencies = [
        {**entry, "dependsOn": [ref for ref in entry["dependsOn"] if ref in kept]} if "dependsOn" in entry else entry
        for entry in bill["dependencies"]
        if entry["ref"] in kept
    ]
    return {**bill, "components": components, "dependencies": dependencies}


def main(tool: str, output: Path) -> None:
    """Make the bill of this environment, restrict it to what the product needs, and validate and write it."""
    needed = closure(requirements("dicom-codecs"))
    missing = sorted(name for name, found in needed.items() if found is None)
    if missing:
        sys.exit(f"not installed: {', '.join(missing)}; make .venv/.installed")
    with tempfile.TemporaryDirectory() as folder:
        whole, part = Path(folder, "whole.json"), Path(folder, "part.json")
        options = ["--pyproject", str(ROOT / "pyproject.toml"), "--output-reproducible", "-o", str(whole)]
        subprocess.run([tool, "-m", "cyclonedx_py", "environment", *options, sys.executable], check=True)
        bill = restricted(json.loads(whole.read_text(encoding="utf-8")), needed)
        bill["metadata"]["component"]["version"] = __version__
        part.write_text(json.dumps(bill, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        subprocess.run([tool, "-c", _VALIDATE, str(part)], check=True)
        output.write_bytes(part.read_bytes())
    print_result(f"{output}: {len(bill['components'])} packages")


if __name__ == "__main__":
    _parser = ArgumentParser(description=__doc__)
    _parser.add_argument("tool", help="a Python that has cyclonedx-bom; this one has the product")
    _parser.add_argument("output", type=Path, help="the file to write")
    _arguments = _parser.parse_args()
    main(_arguments.tool, _arguments.output)
