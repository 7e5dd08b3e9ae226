"""``s3net benchmark cardiac|abdomen``: methods for few labels, from the data to table, plot and numbers."""

from __future__ import annotations

import importlib.util
import json
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import s3net_monai
from benchmarks.common.scoring import slug
from benchmarks.few_labels.cells import Cells, earlier_cells, has_scores, known_cells
from benchmarks.few_labels.results import few_labels_results
from benchmarks.few_labels.rows import DRAWS, REFERENCES, ROWS
from benchmarks.few_labels.scores import score_cell
from benchmarks.few_labels.stages import BusyError, trainings_of
from benchmarks.few_labels.types import Cell, FewLabelsRow, Place, Study, column_name
from benchmarks.label_free.run import json_text, rounded_numbers
from s3net_monai.inference.bundle import bundle_root
from s3net_monai.utils.atomic import atomic_path
from s3net_monai.utils.messages import first_cause, one_line

Job = tuple[FewLabelsRow, Cell]


def run_few_labels(
    study: Study,
    data: Path,
    output: Path,
    work: Path,
    names: Sequence[str] = (),
    labels: Sequence[str] = (),
    rows: Sequence[FewLabelsRow] = ROWS,
) -> dict[str, Any]:
    """Train and score what is asked for, and write ``output`` with .md and .png beside it.

    The files hold all that ``output`` held before from the same settings and all that ``work`` has scores of, so that
    a table can be made in parts, and by several processes with one ``work`` at the same time: each stage is trained by
    one of them, and the others go on with something else.

    Args:
        study: one of ``STUDIES``.
        data: root of the data.
        output: FILE.json. Settings are the configs and the data, not the code: remove the file to score all again.
        work: folder for the datalist, and for weights and scores by stage; what lies there is not computed again.
        names: rows, as the table names them or with hyphens; none means all.
        labels: columns; none means all.
        rows: of the table.

    Raises:
        ValueError: for an unknown row or column, missing data or packages, or an output that is no such file; and, the
            files being written, for trainings that failed.
    """
    if output.suffix != ".json":
        raise ValueError(f"{output}: expected a name that ends in .json; .md and .png files are written beside it")
    if importlib.util.find_spec("matplotlib") is None:  # asked before the hours of work, not after them
        raise ValueError("matplotlib is not installed; run: pip install 's3net-monai[benchmark]'")
    chosen, columns = _chosen_rows(rows, names), _chosen_columns(study, labels)
    work = work.absolute()
    place = Place(
        study, bundle_root("cardiac").with_name(study.bundle), prepare_study(study, data, work / "data"), work
    )
    earlier = earlier_cells(output, rows, place)
    jobs = [
        (row, cell)
        for cell in _cells(columns)
        for row in chosen
        if not has_scores(earlier, row, cell.patients, _draws(cell.patients))
    ]
    failures = run_jobs(jobs, place)
    result = rounded_numbers(few_labels_result(rows, place, _command(study.task, output, names, labels), earlier))
    write_few_labels(result, output)
    if failures:
        raise ValueError("\n".join([f"{output.name} lacks {len(failures)} scores that could not be had:", *failures]))
    return result


def prepare_study(study: Study, data: Path, folder: Path) -> Path:
    """Write the datalist of the study and return its folder.

    The validation patients join the training section: nothing here chooses by them, and "all" then means all patients
    but those of the report.
    """
    from data_prep.prepare import prepare

    prepared = prepare(study.dataset, data / study.source, folder / "prepared")
    content = json.loads(prepared.read_text(encoding="utf-8"))
    training = sorted(content["training"] + content["validation"], key=lambda case: case["case_id"])
    with atomic_path(folder / "datalist.json") as temporary:
        text = json.dumps({**content, "training": training, "validation": []}, indent=1)
        temporary.write_text(text + "\n", encoding="utf-8")
    return folder


def run_jobs(jobs: Sequence[Job], place: Place) -> list[str]:
    """Score all jobs; those that another process is at come last, and are waited for when nothing else is left.

    A job that fails leaves its traceback and the others alone; returns a line for each.
    """
    todo, failures = list(jobs), []
    wait = False
    while todo:
        waiting = []
        for row, cell in todo:
            name = f"{row.name}, labels {column_name(cell.patients)}, draw {cell.draw}"
            print(name, file=sys.stderr, flush=True)
            try:
                score_cell(row, cell, place, wait)
            except BusyError:
                waiting.append((row, cell))
            except Exception as error:  # a config can name anything, so anything can be raised
                traceback.print_exc()
                failures.append(f"{name}: {one_line(first_cause(error))}")
            else:
                wait = False  # what was waited for is done: there may be free ones again
        wait = len(waiting) == len(todo)
        todo = waiting
    return failures


def _cells(columns: Sequence[int | None]) -> list[Cell]:
    """Draws first: whenever the run is ended, the table is as full as it can be."""
    return [Cell(column, draw) for draw in DRAWS for column in columns if draw in _draws(column)]


def _draws(patients: int | None) -> Sequence[int]:
    """All patients can be drawn one way."""
    return DRAWS[:1] if patients is None else DRAWS


def few_labels_result(
    rows: Sequence[FewLabelsRow], place: Place, command: str, earlier: Cells | None = None
) -> dict[str, Any]:
    """All that the files show, from earlier cells and the scores that the work folder has."""
    from s3net_monai.data.datalist import load_datalist

    study = place.study
    names = [case["case_id"] for case in load_datalist(place.dataset, "test")]
    return {
        "schema_version": 1,
        "command": command,
        "package_version": s3net_monai.__version__,
        "task": study.task,
        "unit": study.unit,
        "cases": len(names),
        "units": len({name.split("_")[0] for name in names}) if study.unit == "patient" else len(names),
        "structures": list(study.structures.values()),
        "columns": [column_name(patients) for patients in study.columns],
        "draws": list(DRAWS),
        "references": list(REFERENCES),
        "published": {
            source: {column_name(patients): dice for patients, dice in values.items()}
            for source, values in study.published.items()
        },
        "notes": list(study.notes),
        "trainings": {row.name: trainings_of(row.stage, place) for row in rows},
        "rows": few_labels_results(rows, known_cells(rows, DRAWS, place, earlier or {}), REFERENCES),
    }


def write_few_labels(result: dict[str, Any], output: Path) -> None:
    """Write ``output`` as JSON, and the page and the plot that are made from it beside it."""
    from benchmarks.few_labels.plot import write_few_labels_plot
    from benchmarks.few_labels.table import few_labels_markdown

    output.parent.mkdir(parents=True, exist_ok=True)
    plot = write_few_labels_plot(result, output.with_suffix(".png"))
    for path, text in ((output, json_text(result)), (output.with_suffix(".md"), few_labels_markdown(result, plot))):
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _chosen_rows(rows: Sequence[FewLabelsRow], names: Sequence[str]) -> list[FewLabelsRow]:
    known = {slug(row.name) for row in rows}
    unknown = sorted({slug(name) for name in names} - known)
    if unknown:
        raise ValueError(f"no row {unknown[0]!r}; give some of {', '.join(slug(row.name) for row in rows)}")
    return [row for row in rows if not names or slug(row.name) in {slug(name) for name in names}]


def _chosen_columns(study: Study, labels: Sequence[str]) -> list[int | None]:
    known = {column_name(patients): patients for patients in study.columns}
    unknown = sorted(set(labels) - set(known))
    if unknown:
        raise ValueError(f"--labels: no column {unknown[0]!r} of {study.task}; give some of {','.join(known)}")
    return [patients for name, patients in known.items() if not labels or name in labels]


def _command(task: str, output: Path, names: Sequence[str], labels: Sequence[str]) -> str:
    rows = f" --rows {','.join(map(slug, names))}" if names else ""
    columns = f" --labels {','.join(labels)}" if labels else ""
    # nobody else has the folders of this machine
    shown = output.name if output.is_absolute() else output
    return f"s3net benchmark {task} --data DATA --output {shown}{rows}{columns}"
