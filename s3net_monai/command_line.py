"""What the command line accepts: one function a command, each with an example in its help."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

import s3net_monai
from s3net_monai.argument_types import names, not_negative, positive, shard
from s3net_monai.tasks import TASKS, task_inputs

Run = Callable[[argparse.Namespace], int]


def command_line(commands: Mapping[str, Run]) -> argparse.ArgumentParser:
    """The parser; ``arguments.run`` of what it returns is the named command's entry in ``commands``."""
    parser = argparse.ArgumentParser(prog="s3net", description=s3net_monai.__doc__)
    parser.add_argument("--version", action="version", version=s3net_monai.__version__)
    group = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, add_arguments in ADD_ARGUMENTS.items():
        summary, example = SUMMARIES[name]
        command = group.add_parser(name, help=summary, description=f"{summary}.", epilog=f"example: {example}")
        command.set_defaults(run=commands[name])
        add_arguments(command)
    return parser


def _segment(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add(
        "input", nargs="*", type=Path, help="files, folders of files, folders of DICOM series, DICOMDIRs, zips of these"
    )
    add("--task", required=True, help=task_inputs())
    add("--output", required=True, type=Path, help="folder for masks, previews, report.json and report.html")
    add(
        "--formats",
        type=names,
        default=(),
        help="comma-separated: nifti, png, dicomseg, dicomseg-labelmap, segnrrd; default: png for pictures, nifti for "
        "volumes. Formats that a case does not allow are left out with a note in the report",
    )
    add("--mode", choices=("amortized", "per-image"), default="amortized", help="trained network, or a fit per image")
    add("--bundle", type=Path, help="folder of a bundle that you trust; default: the task's own")
    add("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    add("--workers", type=not_negative, default=1, metavar="N", help="processes that read ahead; default: 1")
    add("--resume", action="store_true", help="skip cases that are complete and unchanged")
    add("--shard", type=shard, default=(1, 1), metavar="I/N", help="only every N-th case from the I-th, counted from 1")
    add(
        "--allow",
        type=names,
        default=(),
        metavar="A,B",
        help="missing-slices, tilt: resample such CT series to a regular grid, and say so, instead of refusing them",
    )
    add(
        "--select",
        type=Path,
        metavar="RULES.json",
        help="which series of a study to take; default: the primary axial CT series with most slices",
    )
    add("--keep-identifiers", action="store_true", help="leave names and identifiers of patients in names and reports")
    add(
        "--dicomweb",
        metavar="URL",
        help="read a study from this DICOMweb server and store its DICOM SEG there; give "
        "credentials as S3NET_DICOMWEB_USER and _PASSWORD or _TOKEN in the environment",
    )
    add("--study", metavar="UID", help="StudyInstanceUID, with --dicomweb")


def _evaluate(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("--predictions", required=True, type=Path, help="folder of <case>_seg.<ext>")
    add("--labels", required=True, type=Path, help="folder of <case>.<ext> or <case>_label.<ext>")
    add("--output", type=Path, metavar="FILE.json", help="write all scores as JSON")


def _benchmark(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add(
        "what",
        choices=("speed", "skin", "lung", "cardiac", "abdomen", "corrections"),
        help="speed: one forward pass, one whole CT; skin, lung: every row of the accuracy table, some of which train; "
        "cardiac, abdomen: methods for few labels, all of which train; corrections: the skin weights fine-tuned on "
        "corrected masks, in the order of the active-learning strategy and at random",
    )
    add(
        "--output",
        required=True,
        type=Path,
        metavar="FILE.json",
        help="write the numbers; of all but speed also .md, .png",
    )
    add("--data", type=Path, metavar="DIR", help="all but speed: folder that holds skin/, lung/, cardiac/ and abdomen/")
    add(
        "--work",
        type=Path,
        default=Path("benchmark_output"),
        metavar="DIR",
        help="folder for weights and single scores, used again by the next run, and by several at a time for cardiac, "
        "abdomen and corrections; default: benchmark_output",
    )
    add(
        "--rows",
        type=names,
        default=(),
        metavar="A,B",
        help="only these rows, of skin and lung also 'robustness' or 'ablation', of corrections the orders, "
        "with hyphens for spaces and commas; an unknown name lists them",
    )
    add(
        "--labels",
        type=names,
        default=(),
        metavar="1,2",
        help="cardiac, abdomen: only these numbers of labeled patients, 'all' among them",
    )


def _prepare(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("dataset", help="name of the data set; an unknown name lists them")
    add("source", type=Path, help="folder in the data set's own layout")
    add("destination", type=Path, help="folder for datalist.json")


def _phantom(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("task", help=", ".join(TASKS))
    add("destination", type=Path, help="folder for images, labels and datalist.json")
    add("--count", type=positive, default=1, help="number of images; cardiac: of patients, with two each")
    add("--dicom", action="store_true", help="lung: write DICOM series instead of NIfTI")
    add("--shape", type=positive, nargs="+", metavar="SIZE", help="X Y Z voxels, or X Y pixels")
    add("--seed", type=not_negative, default=0, help="seed of the first image")


def _export(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("task", help=", ".join(TASKS))
    add("--output", required=True, type=Path, help="folder to write to")
    add("--bundle", type=Path, help="folder of a bundle that you trust; default: the task's own")


def _info(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="as JSON")


ADD_ARGUMENTS: dict[str, Callable[[argparse.ArgumentParser], None]] = {
    "segment": _segment,
    "evaluate": _evaluate,
    "benchmark": _benchmark,
    "prepare": _prepare,
    "phantom": _phantom,
    "export": _export,
    "info": _info,
}

SUMMARIES = {
    "segment": (
        "Segment images with a bundle",
        "s3net segment scans/ --task lung --output masks --formats nifti,dicomseg",
    ),
    "evaluate": (
        "Compare <case>_seg masks with labels",
        "s3net evaluate --predictions masks --labels truth --output scores.json",
    ),
    "benchmark": (
        "Measure accuracy against other methods, or speed and memory",
        "s3net benchmark skin --data data --output docs/benchmark/skin.json",
    ),
    "prepare": (
        "Turn a public data set into a checked datalist.json",
        "s3net prepare ph2 downloads/PH2 data/ph2",
    ),
    "phantom": (
        "Make synthetic images with exact truth",
        "s3net phantom lung data/phantom --count 4 --dicom",
    ),
    "export": ("Write a bundle as zip, TorchScript and ONNX", "s3net export lung --output exported"),
    "info": ("Show tasks, models, devices and optional parts", "s3net info --json"),
}
