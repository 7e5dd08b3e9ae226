"""The arguments of every command, each with an example in its help."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from s3net_monai.tasks import TASKS, task_inputs
from s3net_monai.utils.argument_types import names, not_negative, shard
from s3net_monai.utils.commands import Command
from s3net_monai.utils.printing import ArgumentParser
from s3net_monai.version import __version__

DESCRIPTION = "Label-free medical image segmentation with S3-Net, built on MONAI."


def command_line(commands: Iterable[Command]) -> ArgumentParser:
    """Return the parser; ``arguments.run`` of what it parses is the named command's."""
    parser = ArgumentParser(prog="s3net", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=__version__)
    group = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in commands:
        added = group.add_parser(
            command.name,
            help=command.summary,
            description=f"{command.summary}.",
            epilog=f"example: {command.example}",
        )
        added.set_defaults(run=command.run)
        command.add_arguments(added)
    return parser


def _segment(command: ArgumentParser) -> None:
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
        help="comma-separated: nifti, png, dicomseg, dicomseg-labelmap, segnrrd; default: png for 2-D images, nifti "
        "for volumes. Formats that a case does not allow are left out with a note in the report",
    )
    add("--mode", choices=("amortized", "per-image"), default="amortized", help="trained network, or a fit per image")
    add("--bundle", type=Path, help="folder of a bundle that you trust; default: the task's own")
    add("--checkpoint", type=Path, metavar="model.pt", help="weights of your own training in place of the bundle's")
    add(
        "--config",
        type=Path,
        action="append",
        default=[],
        metavar="OVERLAY.json",
        help="overlay of the bundle's inference.json that such weights need; may be given several times",
    )
    add("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    add("--workers", type=not_negative, default=1, metavar="N", help="processes that read ahead; default: 1")
    add("--resume", action="store_true", help="continue an earlier run: leave what is complete and unchanged as it is")
    add("--overwrite", action="store_true", help="replace the masks of an earlier run in the output folder")
    add("--shard", type=shard, default=(1, 1), metavar="I/N", help="only every N-th case from the I-th, counted from 1")
    add(
        "--allow",
        type=names,
        default=(),
        metavar="A,B",
        help="missing-slices, tilt: resample such images to a regular grid, and say so, instead of refusing them",
    )
    add(
        "--select",
        type=Path,
        metavar="RULES.json",
        help="which series of a study to take; default: the axial CT series, or cine stack of MR, with most slices",
    )
    add(
        "--key",
        type=Path,
        metavar="FILE.csv",
        help="write a private table of case names and their sources, readable by you alone, outside the output folder",
    )
    add("--keep-identifiers", action="store_true", help="leave names and identifiers of patients in names and reports")
    add(
        "--dicomweb",
        metavar="URL",
        help="read a study from this DICOMweb server and store its DICOM SEG there; give "
        "credentials as S3NET_DICOMWEB_USER and _PASSWORD or _TOKEN in the environment",
    )
    add("--study", metavar="UID", help="StudyInstanceUID, with --dicomweb")


def _evaluate(command: ArgumentParser) -> None:
    add = command.add_argument
    add("--predictions", required=True, type=Path, help="folder of <case>_seg.<ext>")
    add("--labels", required=True, type=Path, help="folder of <case>.<ext> or <case>_label.<ext>")
    add("--output", type=Path, metavar="FILE.json", help="write all scores as JSON")


def _export(command: ArgumentParser) -> None:
    add = command.add_argument
    add("task", help=", ".join(TASKS))
    add("--output", required=True, type=Path, help="folder to write to")
    add("--bundle", type=Path, help="folder of a bundle that you trust; default: the task's own")


def _info(command: ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="as JSON")


def built_in(run: Mapping[str, Callable[[argparse.Namespace], int]]) -> list[Command]:
    """Return the product's own commands; ``run`` gives by name what each of them does."""
    return [
        Command(
            name="segment",
            summary="Segment images with a bundle",
            example="s3net segment scans/ --task lung --output masks --formats nifti,dicomseg",
            add_arguments=_segment,
            run=run["segment"],
        ),
        Command(
            name="evaluate",
            summary="Compare <case>_seg masks with labels",
            example="s3net evaluate --predictions masks --labels truth --output scores.json",
            add_arguments=_evaluate,
            run=run["evaluate"],
        ),
        Command(
            name="export",
            summary="Write a bundle as zip, TorchScript and ONNX",
            example="s3net export lung --output exported",
            add_arguments=_export,
            run=run["export"],
        ),
        Command(
            name="info",
            summary="Show tasks, models, devices and optional parts",
            example="s3net info --json",
            add_arguments=_info,
            run=run["info"],
        ),
    ]
