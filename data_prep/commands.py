"""The commands that this package adds to ``s3net``: ``prepare`` and ``phantom``."""

from __future__ import annotations

import argparse
from pathlib import Path

from s3net_monai.utils.argument_types import not_negative, positive
from s3net_monai.utils.commands import Command
from s3net_monai.utils.printing import ArgumentParser, print_note, print_path


def _add_prepare_arguments(command: ArgumentParser) -> None:
    command.add_argument("dataset", help="name of the data set; an unknown name lists them")
    command.add_argument("source", type=Path, help="folder in the data set's own layout")
    command.add_argument("destination", type=Path, help="folder for datalist.json")


def _prepare(arguments: argparse.Namespace) -> int:
    from data_prep.prepare import prepare
    from data_prep.summary import prepared_line

    datalist = prepare(arguments.dataset, arguments.source, arguments.destination)
    print_path(datalist)
    print_note(prepared_line(datalist, arguments.source))
    return 0


def _add_phantom_arguments(command: ArgumentParser) -> None:
    add = command.add_argument
    add("task", help="lung, skin or cardiac")
    add("destination", type=Path, help="folder for images, labels and datalist.json")
    add("--count", type=positive, default=1, help="number of images; cardiac: of patients, with two each")
    add("--dicom", action="store_true", help="lung: write DICOM series instead of NIfTI")
    add("--shape", type=positive, nargs="+", metavar="SIZE", help="X Y Z voxels, or X Y pixels")
    add("--seed", type=not_negative, default=0, help="seed of the first image")


def _phantom(arguments: argparse.Namespace) -> int:
    from data_prep.phantom import make_phantoms

    path = make_phantoms(
        arguments.task,
        arguments.destination,
        count=arguments.count,
        dicom=arguments.dicom,
        shape=arguments.shape,
        seed=arguments.seed,
    )
    print_path(path)
    return 0


PREPARE = Command(
    name="prepare",
    summary="Turn a public data set into a checked datalist.json",
    example="s3net prepare ph2 downloads/PH2 data/ph2",
    add_arguments=_add_prepare_arguments,
    run=_prepare,
)
PHANTOM = Command(
    name="phantom",
    summary="Make synthetic images with exact truth",
    example="s3net phantom lung data/phantom --count 4 --dicom",
    add_arguments=_add_phantom_arguments,
    run=_phantom,
)
