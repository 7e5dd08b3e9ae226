"""Marked identifiers: which attributes of the DICOM confidentiality profile reach a report, a name or a printed line.

Every attribute of Table E.1-1 of DICOM PS3.15 that holds text, a date, a time, a number or a UID has a value of its own
in a small series, whose folders, files and descriptions repeat it in one of its spellings.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.faults.marked_files import WRITERS
from benchmarks.faults.marks import EXEMPT, name_of, profile_marks, spelled

if TYPE_CHECKING:
    from s3net_monai.inference import Bundle


def measure(folder: Path, *, step: int = 1, places: Sequence[str] = tuple(WRITERS)) -> dict[str, Any]:
    """Run discovery and segmentation with a network that marks nothing, and look for every mark in what they leave.

    Args:
        folder: an empty folder.
        step: only every ``step``-th attribute.
        places: where the marks are put: in the header and in the path of a series; in a sequence and in the path; in
            the header and in the description of a series; in the header and in the path of a VL image.

    Returns:
        "tried" and "wrong" in all, and by place; "leaking", the attributes by place; "exempt", with reasons.
    """
    marks = profile_marks()[::step]
    kinds: dict[str, dict[str, int]] = {}
    leaking: dict[str, list[str]] = {}
    for place in places:
        tree = folder / place.replace(" ", "_")
        for number, mark in enumerate(marks):
            WRITERS[place](tree / f"p{number:04d}", mark, number)
        texts = _outputs(tree, folder / f"{tree.name}_out", "skin" if place == "VL image" else "lung")
        found = [name_of(mark.tag) for mark in marks if spelled(mark.written).search(texts)]
        kinds[place] = {"tried": len(marks), "wrong": len(found)}
        leaking[place] = found
    return {
        "tried": sum(kind["tried"] for kind in kinds.values()),
        "wrong": sum(kind["wrong"] for kind in kinds.values()),
        "attributes": len(marks),
        "kinds": kinds,
        "leaking": leaking,
        "exempt": EXEMPT,
    }


def _outputs(tree: Path, output: Path, task: str) -> str:
    """Return what a run over a tree leaves, except pseudonyms and hashes.

    These are the strings of the report and its page, the names of files, and the printed lines.
    """
    from s3net_monai.inference import Settings, find_cases, run_batch
    from s3net_monai.utils.pseudonyms import Pseudonyms

    printed = io.StringIO()
    pseudonyms = Pseudonyms(lambda: bytes(32))
    bundle = _bundle(task)
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        discovery = find_cases([tree], output, modality=bundle.task.modality, pseudonyms=pseudonyms)
        run_batch(
            discovery.cases,
            bundle,
            output,
            settings=Settings(workers=0),
            excluded=discovery.excluded,
            pseudonyms=pseudonyms,
        )
    texts = list(_strings(json.loads((output / "report.json").read_text(encoding="utf-8"))))
    texts += re.findall(r"[^<>]+", (output / "report.html").read_text(encoding="utf-8"))
    texts += [path.name for path in output.iterdir()] + printed.getvalue().splitlines()
    return re.sub(
        "anon-[0-9a-f]{12}|(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])", " ", "\n\n\n".join(sorted(set(texts))).casefold()
    )


def _bundle(task: str) -> Bundle:
    """Return a bundle that reads as the released ones do, and whose inferer refuses every image by its name."""
    import torch
    from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged

    from s3net_monai.inference import Bundle
    from s3net_monai.io import DicomSeriesReader, DicomVLImageReader
    from s3net_monai.tasks import TASKS

    def inferer(image: Any, network: Any) -> Any:
        raise ValueError(f"no mask of {image.meta['filename_or_obj']}")

    reader: Any = DicomSeriesReader() if task == "lung" else DicomVLImageReader()
    return Bundle(
        task=TASKS[task],
        name="refusal",
        version="1",
        sha256="",
        config_sha256="",
        device=torch.device("cpu"),
        network=torch.nn.Identity(),
        preprocessing=Compose([LoadImaged(keys="image", reader=reader), EnsureChannelFirstd(keys="image")]),
        inferer=inferer,
        postprocessing=Compose([]),
    )


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, str):
        yield value
