"""The command line: parses, calls, prints. Imports are inside the commands, so that ``--help`` is quick."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import s3net_monai
from s3net_monai.argument_types import names, not_negative, positive, shard

OK, SOME_FAILED, UNUSABLE = 0, 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 all succeeded, 1 some case failed, 2 nothing could be done."""
    arguments = _parser().parse_args(argv)
    # Libraries warn about every odd header, value included: noise, and a way for names into logs.
    warnings.simplefilter("ignore")
    logging.basicConfig(stream=sys.stderr, level=logging.ERROR, format="%(levelname)s: %(message)s")
    logging.getLogger("s3net_monai").setLevel(logging.WARNING)
    for name in ("monai", "highdicom", "pydicom"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        code: int = arguments.run(arguments)
    except (ValueError, OSError) as error:  # UsageError, DataError and what the file system refuses
        print(f"s3net: error: {error}", file=sys.stderr)
        return UNUSABLE
    except KeyboardInterrupt:
        print("s3net: interrupted", file=sys.stderr)
        return SOME_FAILED
    return code


def _segment(arguments: argparse.Namespace) -> int:
    from s3net_monai.inference import Settings, bundle_root, find_cases, load_bundle, parse_device, run_batch
    from s3net_monai.io import FORMATS

    unknown = [name for name in arguments.formats if name not in FORMATS]
    if unknown:
        raise ValueError(f"format {unknown[0]!r} is not known; give one or more of {','.join(FORMATS)}")
    found = find_cases(arguments.input, arguments.output)
    root = bundle_root(arguments.task, arguments.bundle)
    bundle = load_bundle(arguments.task, root, parse_device(arguments.device), arguments.mode)
    if found.ignored:
        print(f"{found.ignored} files that are no images were passed over", file=sys.stderr)
    settings = Settings(
        formats=tuple(arguments.formats),
        mode=arguments.mode,
        workers=arguments.workers,
        resume=arguments.resume,
        shard=arguments.shard,
    )
    report = run_batch(found.cases, bundle, arguments.output, settings)
    counts = ", ".join(f"{report.count(status)} {status}" for status in ("ok", "failed", "skipped"))
    print(f"{counts} in {report.seconds:.1f} s; {arguments.output / 'report.json'}")
    return SOME_FAILED if report.count("failed") or report.interrupted else OK


def _evaluate(arguments: argparse.Namespace) -> int:
    from s3net_monai.evaluation import evaluate, format_table
    from s3net_monai.io.atomic import atomic_path

    evaluation = evaluate(arguments.predictions, arguments.labels)
    print(format_table(evaluation))
    if arguments.output:
        with atomic_path(arguments.output) as temporary:
            temporary.write_text(json.dumps(evaluation.as_dict(), indent=2) + "\n", encoding="utf-8")
    return OK if evaluation.complete else SOME_FAILED


def _benchmark(arguments: argparse.Namespace) -> int:
    if arguments.what == "speed":
        return _benchmark_speed(arguments.output)
    from s3net_monai.benchmark.run import run_benchmark

    if arguments.data is None:
        raise ValueError(f"benchmark {arguments.what}: --data is missing; give the folder that holds skin/ and lung/")
    work = arguments.work / arguments.what
    run_benchmark(arguments.what, arguments.data, arguments.output, work, arguments.rows)
    print(arguments.output.with_suffix(".md").read_text(encoding="utf-8"))
    return OK


def _benchmark_speed(output: Path) -> int:
    from s3net_monai.evaluation.speed import speed_benchmark
    from s3net_monai.io.atomic import atomic_path

    text = json.dumps(speed_benchmark(), indent=2)
    with atomic_path(output) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    print(text)
    return OK


def _prepare(arguments: argparse.Namespace) -> int:
    from data_prep.prepare import prepare

    print(prepare(arguments.dataset, arguments.source, arguments.destination))
    return OK


def _phantom(arguments: argparse.Namespace) -> int:
    from data_prep.phantom import make_phantoms

    print(
        make_phantoms(
            arguments.task,
            arguments.destination,
            count=arguments.count,
            dicom=arguments.dicom,
            shape=arguments.shape,
            seed=arguments.seed,
        )
    )
    return OK


def _export(arguments: argparse.Namespace) -> int:
    from s3net_monai.inference import bundle_root
    from s3net_monai.inference.export import export_bundle

    written, problems = export_bundle(bundle_root(arguments.task, arguments.bundle), arguments.output)
    for path in written:
        print(path)
    for problem in problems:
        print(problem, file=sys.stderr)
    return SOME_FAILED if problems else OK


def _info(arguments: argparse.Namespace) -> int:
    from s3net_monai.inference.info import describe, format_info

    info = describe()
    print(json.dumps(info, indent=2) if arguments.json else format_info(info))
    return OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="s3net", description=s3net_monai.__doc__)
    parser.add_argument("--version", action="version", version=s3net_monai.__version__)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    segment = _command(
        commands,
        "segment",
        "Segment images with a bundle",
        "s3net segment scans/ --task lung --output masks --formats nifti,dicomseg",
    )
    segment.set_defaults(run=_segment)
    segment.add_argument("input", nargs="+", type=Path, help="files, folders of files, or folders of DICOM series")
    segment.add_argument("--task", required=True, help="lung or skin")
    segment.add_argument("--output", required=True, type=Path, help="folder for masks and report.json")
    segment.add_argument(
        "--formats",
        type=names,
        default=(),
        help="comma-separated: nifti, png, dicomseg; default: png for pictures, nifti for volumes. "
        "Formats that a case does not allow are left out with a note in the report",
    )
    segment.add_argument(
        "--mode", choices=("amortized", "per-image"), default="amortized", help="trained network, or one fit per image"
    )
    segment.add_argument("--bundle", type=Path, help="folder of a bundle that you trust; default: the task's own")
    segment.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    segment.add_argument("--workers", type=not_negative, default=0, metavar="N", help="processes that read ahead")
    segment.add_argument("--resume", action="store_true", help="skip cases that are complete and unchanged")
    segment.add_argument(
        "--shard", type=shard, default=(1, 1), metavar="I/N", help="only every N-th case from the I-th, counted from 1"
    )

    evaluate = _command(
        commands,
        "evaluate",
        "Compare <case>_seg masks with labels",
        "s3net evaluate --predictions masks --labels truth --output scores.json",
    )
    evaluate.set_defaults(run=_evaluate)
    evaluate.add_argument("--predictions", required=True, type=Path, help="folder of <case>_seg.<ext>")
    evaluate.add_argument("--labels", required=True, type=Path, help="folder of <case>.<ext> or <case>_label.<ext>")
    evaluate.add_argument("--output", type=Path, metavar="FILE.json", help="write all scores as JSON")

    benchmark = _command(
        commands,
        "benchmark",
        "Measure accuracy against other methods, or speed and memory",
        "s3net benchmark skin --data data --output docs/benchmark/skin.json",
    )
    benchmark.set_defaults(run=_benchmark)
    benchmark.add_argument(
        "what",
        choices=("speed", "skin", "lung"),
        help="speed: one forward pass, one whole CT; skin, lung: every row of the accuracy table, some of which train",
    )
    benchmark.add_argument(
        "--output",
        required=True,
        type=Path,
        metavar="FILE.json",
        help="write the numbers; of skin and lung also .md, .png",
    )
    benchmark.add_argument("--data", type=Path, metavar="DIR", help="skin, lung: folder that holds skin/ and lung/")
    benchmark.add_argument(
        "--work",
        type=Path,
        default=Path("benchmark_output"),
        metavar="DIR",
        help="skin, lung: folder for weights and single scores, used again by the next run; default: benchmark_output",
    )
    benchmark.add_argument(
        "--rows",
        type=names,
        default=(),
        metavar="A,B",
        help="skin, lung: only these rows, or 'robustness' or 'ablation', with hyphens for spaces and commas; "
        "an unknown name lists them",
    )

    prepare = _command(
        commands,
        "prepare",
        "Turn a public data set into a checked datalist.json",
        "s3net prepare ph2 downloads/PH2 data/ph2",
    )
    prepare.set_defaults(run=_prepare)
    prepare.add_argument("dataset", help="name of the data set; an unknown name lists them")
    prepare.add_argument("source", type=Path, help="folder in the data set's own layout")
    prepare.add_argument("destination", type=Path, help="folder for datalist.json")

    phantom = _command(
        commands,
        "phantom",
        "Make synthetic images with exact truth",
        "s3net phantom lung data/phantom --count 4 --dicom",
    )
    phantom.set_defaults(run=_phantom)
    phantom.add_argument("task", help="lung or skin")
    phantom.add_argument("destination", type=Path, help="folder for images, labels and datalist.json")
    phantom.add_argument("--count", type=positive, default=1, help="number of images")
    phantom.add_argument("--dicom", action="store_true", help="write DICOM series instead of NIfTI")
    phantom.add_argument("--shape", type=positive, nargs="+", metavar="SIZE", help="X Y Z voxels, or X Y pixels")
    phantom.add_argument("--seed", type=not_negative, default=0, help="seed of the first image")

    export = _command(
        commands, "export", "Write a bundle as zip, TorchScript and ONNX", "s3net export lung --output exported"
    )
    export.set_defaults(run=_export)
    export.add_argument("task", help="lung or skin")
    export.add_argument("--output", required=True, type=Path, help="folder to write to")
    export.add_argument("--bundle", type=Path, help="folder of a bundle that you trust; default: the task's own")

    info = _command(commands, "info", "Show tasks, models, devices and optional parts", "s3net info --json")
    info.set_defaults(run=_info)
    info.add_argument("--json", action="store_true", help="as JSON")
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str, example: str
) -> argparse.ArgumentParser:
    return commands.add_parser(name, help=summary, description=f"{summary}.", epilog=f"example: {example}")
