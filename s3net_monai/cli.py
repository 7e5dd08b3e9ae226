"""The command line: parses, calls, prints. Imports are inside the commands, so that ``--help`` is quick."""

from __future__ import annotations

import argparse
import gc
import json
import logging
import os
from collections.abc import Sequence
from importlib.metadata import entry_points

from s3net_monai.command_line import built_in, command_line
from s3net_monai.utils.commands import ENTRY_POINTS, Command
from s3net_monai.utils.console import closed_pipes_are_quiet, log_to_stderr
from s3net_monai.utils.messages import causes
from s3net_monai.utils.output_paths import check_output_file, is_full
from s3net_monai.utils.printing import get_logger, print_json, print_note, print_path, print_result
from s3net_monai.utils.quick_monai import import_monai
from s3net_monai.utils.reasons import error_lines, words_of
from s3net_monai.utils.scratch import scratch_folder
from s3net_monai.utils.signals import ending_signals_as_keyboard_interrupt

OK, SOME_FAILED, UNUSABLE = 0, 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 all succeeded, 1 some case failed, 2 nothing could be done."""
    try:
        with closed_pipes_are_quiet():
            return _main(argv)
    except OSError as error:  # of the last words, such as those of --help
        print_note(*(f"s3net: error: {line}" for line in error_lines(error)))
        return SOME_FAILED


def _main(argv: Sequence[str] | None) -> int:
    arguments = command_line(_commands()).parse_args(argv)
    log_to_stderr()
    try:
        if argv is None and arguments.run in (_segment, _evaluate, _info):  # this process is the program's own
            # NumPy multiplies small matrices here; its threads would take cores from the network and the readers.
            os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
            import_monai()
        code: int = arguments.run(arguments)
        if argv is None:
            gc.freeze()  # a last search among all objects would take a tenth of a second
    except KeyboardInterrupt:
        print_note("s3net: interrupted")
        return SOME_FAILED
    except Exception as error:  # a message for users, or the words for what nobody foresaw
        first, *more = error_lines(error)
        print_note(f"s3net: error: {first}", *more)
        return SOME_FAILED if any(is_full(link) for link in causes(error)) else UNUSABLE
    return code


def _commands() -> list[Command]:
    """The product's own commands, and those of packages beside it, such as ``data_prep``."""
    commands = built_in({"segment": _segment, "evaluate": _evaluate, "export": _export, "info": _info})
    for entry in sorted(entry_points(group=ENTRY_POINTS)):
        try:
            commands.append(entry.load())
        except Exception as error:  # a package beside the product may be broken in any way; the others go on
            print_note(f"s3net: command {entry.name} cannot be loaded{words_of(error)}; repair its package")
    return commands


def _segment(arguments: argparse.Namespace) -> int:
    from s3net_monai.data.label_names import describe
    from s3net_monai.inference import Settings, bundle_root, find_cases, load_bundle, parse_device, run_batch
    from s3net_monai.inference.discovery.key_file import check_key, pseudonyms_of_key, write_key
    from s3net_monai.inference.discovery.series_selection import read_rules
    from s3net_monai.inference.report.summary import closing_line
    from s3net_monai.inference.run.earlier_run import check_output
    from s3net_monai.utils.pseudonyms import Pseudonyms

    formats = _known_formats(arguments.formats)
    _check_source(arguments)
    rules = read_rules(arguments.select) if arguments.select else None
    root = bundle_root(arguments.task, arguments.bundle)
    # Of shards, run_batch knows which masks are whose.
    own_ids = None if arguments.shard == (1, 1) else ()
    check_output(arguments.output, resume=arguments.resume, overwrite=arguments.overwrite, case_ids=own_ids)
    if arguments.key:
        check_key(arguments.key, arguments.output)
    pseudonyms = pseudonyms_of_key(arguments.key) if arguments.key else Pseudonyms()
    get_logger("s3net_monai.transforms.notes").setLevel(logging.ERROR)  # the report has them
    with ending_signals_as_keyboard_interrupt(), scratch_folder() as scratch:
        bundle = load_bundle(
            arguments.task,
            root,
            parse_device(arguments.device),
            mode=arguments.mode,
            allow=arguments.allow,
            checkpoint=arguments.checkpoint,
            configs=arguments.config,
        )
        if arguments.dicomweb:
            from s3net_monai.inference.dicomweb.dicomweb_study import find_study_cases, store_masks, with_storable

            formats = with_storable(formats)
            discovery = find_study_cases(
                arguments.dicomweb,
                arguments.study,
                task=arguments.task,
                modality=bundle.task.modality,
                scratch=scratch,
                rules=rules,
                keep_identifiers=arguments.keep_identifiers,
                pseudonyms=pseudonyms,
            )
        else:
            discovery = find_cases(
                arguments.input,
                arguments.output,
                modality=bundle.task.modality,
                rules=rules,
                unpack_to=scratch,
                keep_identifiers=arguments.keep_identifiers,
                pseudonyms=pseudonyms,
            )
        if discovery.ignored:
            print_note(f"{discovery.ignored} files that are not images were ignored")
        if discovery.labels:
            print_note(f"{describe(discovery.labels)} were passed over; name a file to segment it")
        if arguments.key:
            write_key(arguments.key, discovery.cases, originals=pseudonyms.originals, study=arguments.study)
        settings = Settings(
            formats=formats,
            mode=arguments.mode,
            workers=arguments.workers,
            resume=arguments.resume,
            overwrite=arguments.overwrite,
            shard=arguments.shard,
            allow=arguments.allow,
        )
        report = run_batch(
            discovery.cases,
            bundle,
            arguments.output,
            settings=settings,
            excluded=discovery.excluded,
            pseudonyms=pseudonyms,
        )
        if arguments.key:  # messages about cases have further ones
            write_key(arguments.key, (), originals=pseudonyms.originals)
        if arguments.dicomweb:
            store_masks(arguments.dicomweb, report, arguments.output)
    print_result(closing_line(report, arguments.output, ignored=discovery.ignored, labels=len(discovery.labels)))
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

    if arguments.output:
        check_output_file(arguments.output)
    evaluation = evaluate(arguments.predictions, arguments.labels)
    print_result(*format_table(evaluation).split("\n"))
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(arguments.output) as temporary:
            temporary.write_text(json.dumps(evaluation.as_dict(), indent=2) + "\n", encoding="utf-8")
    return OK if evaluation.complete else SOME_FAILED


def _export(arguments: argparse.Namespace) -> int:
    from s3net_monai.inference import bundle_root
    from s3net_monai.inference.export import export_bundle

    written, problems = export_bundle(arguments.task, bundle_root(arguments.task, arguments.bundle), arguments.output)
    for path in written:
        print_path(path)
    print_note(*problems)
    return SOME_FAILED if problems else OK


def _info(arguments: argparse.Namespace) -> int:
    from s3net_monai.inference.info import describe, format_info

    info = describe()
    if arguments.json:
        print_json(info)
    else:
        print_result(*format_info(info).split("\n"))
    return OK
