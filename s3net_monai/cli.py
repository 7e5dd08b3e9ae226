"""The command line: parses, calls, prints. Imports are inside the commands, so that ``--help`` is quick."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

from s3net_monai.command_line import command_line
from s3net_monai.utils.signals import ending_signals_as_keyboard_interrupt

OK, SOME_FAILED, UNUSABLE = 0, 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 all succeeded, 1 some case failed, 2 nothing could be done."""
    arguments = command_line(COMMANDS).parse_args(argv)
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
    from s3net_monai.inference.dicomweb.dicomweb_study import find_study_cases, store_masks, with_storable
    from s3net_monai.inference.discovery.series_selection import DEFAULT, read_rules

    formats = _known_formats(arguments.formats)
    _check_source(arguments)
    rules = read_rules(arguments.select) if arguments.select else DEFAULT
    root = bundle_root(arguments.task, arguments.bundle)
    with ending_signals_as_keyboard_interrupt(), tempfile.TemporaryDirectory(prefix="s3net-") as scratch:
        if arguments.dicomweb:
            formats = with_storable(formats)
            found = find_study_cases(
                arguments.dicomweb, arguments.study, arguments.task, Path(scratch), rules, arguments.keep_identifiers
            )
        else:
            found = find_cases(
                arguments.input,
                arguments.output,
                rules=rules,
                unpack_to=Path(scratch),
                keep_identifiers=arguments.keep_identifiers,
            )
        if found.ignored:
            print(f"{found.ignored} files that are no images were passed over", file=sys.stderr)
        bundle = load_bundle(arguments.task, root, parse_device(arguments.device), arguments.mode, arguments.allow)
        settings = Settings(
            formats=formats,
            mode=arguments.mode,
            workers=arguments.workers,
            resume=arguments.resume,
            shard=arguments.shard,
            allow=arguments.allow,
        )
        report = run_batch(found.cases, bundle, arguments.output, settings, found.excluded)
        if arguments.dicomweb:
            store_masks(arguments.dicomweb, report, arguments.output)
    counts = ", ".join(f"{report.count(status)} {status}" for status in ("ok", "failed", "skipped"))
    print(f"{counts} in {report.seconds:.1f} s; {arguments.output / 'report.html'}")
    return SOME_FAILED if report.count("failed") or report.interrupted else OK


def _known_formats(formats: tuple[str, ...]) -> tuple[str, ...]:
    from s3net_monai.io import FORMATS

    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise ValueError(f"format {unknown[0]!r} is not known; give one or more of {','.join(FORMATS)}")
    return formats


def _check_source(arguments: argparse.Namespace) -> None:
    from s3net_monai.io.dicom.geometry import Irregularity

    names = [irregularity.value for irregularity in Irregularity]
    unknown = [name for name in arguments.allow if name not in names]
    if unknown:
        raise ValueError(f"--allow: {unknown[0]!r} is not known; give one or both of {','.join(names)}")
    if bool(arguments.input) == bool(arguments.dicomweb):
        raise ValueError("segment: give inputs, or --dicomweb URL with --study UID")
    if bool(arguments.dicomweb) != bool(arguments.study):
        raise ValueError("segment: --dicomweb and --study belong together; give both")


def _evaluate(arguments: argparse.Namespace) -> int:
    from s3net_monai.evaluation import evaluate, format_table
    from s3net_monai.utils.atomic import atomic_path

    evaluation = evaluate(arguments.predictions, arguments.labels)
    print(format_table(evaluation))
    if arguments.output:
        with atomic_path(arguments.output) as temporary:
            temporary.write_text(json.dumps(evaluation.as_dict(), indent=2) + "\n", encoding="utf-8")
    return OK if evaluation.complete else SOME_FAILED


def _benchmark(arguments: argparse.Namespace) -> int:
    if arguments.what == "speed":
        return _benchmark_speed(arguments.output)
    few = arguments.what in ("cardiac", "abdomen")
    if arguments.data is None:
        folders = f"{arguments.what}/" if few else "skin/ and lung/"
        raise ValueError(f"benchmark {arguments.what}: --data is missing; give the folder that holds {folders}")
    if arguments.labels and not few:
        raise ValueError(f"benchmark {arguments.what}: --labels is for cardiac and abdomen; leave it out")
    work = arguments.work / arguments.what
    if arguments.what == "corrections":
        from benchmarks.corrections.run import run_corrections

        run_corrections(arguments.data, arguments.output, arguments.work, arguments.rows)
    elif few:
        from benchmarks.few_labels.rows import STUDIES
        from benchmarks.few_labels.run import run_few_labels

        study = STUDIES[arguments.what]
        run_few_labels(study, arguments.data, arguments.output, work, arguments.rows, arguments.labels)
    else:
        from benchmarks.label_free.run import run_benchmark

        run_benchmark(arguments.what, arguments.data, arguments.output, work, arguments.rows)
    print(arguments.output.with_suffix(".md").read_text(encoding="utf-8"))
    return OK


def _benchmark_speed(output: Path) -> int:
    from benchmarks.speed import speed_benchmark
    from s3net_monai.utils.atomic import atomic_path

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


COMMANDS = {
    "segment": _segment,
    "evaluate": _evaluate,
    "benchmark": _benchmark,
    "prepare": _prepare,
    "phantom": _phantom,
    "export": _export,
    "info": _info,
}
