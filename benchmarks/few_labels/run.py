"""``python -m benchmarks cardiac|abdomen``: methods for few labeled patients."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.common.output import check_output, recorded_command, rounded_numbers, write_json_and_page
from benchmarks.common.scoring import slug
from benchmarks.common.work_folder import BusyError
from benchmarks.few_labels.cells import Cells, earlier_cells, has_scores, scored_cells
from benchmarks.few_labels.results import few_labels_results
from benchmarks.few_labels.rows import DRAWS, REFERENCES, ROWS
from benchmarks.few_labels.scores import score_cell
from benchmarks.few_labels.stages import trainings_of
from benchmarks.few_labels.types import Cell, FewLabelsRow, RunContext, Study, column_name
from s3net_monai.file_formats import DATALIST_FILE
from s3net_monai.inference.bundle import bundle_root
from s3net_monai.utils.atomic import atomic_path
from s3net_monai.utils.errors import DataError
from s3net_monai.utils.messages import one_line
from s3net_monai.utils.printing import print_note, print_traceback
from s3net_monai.utils.reasons import message_for_users
from s3net_monai.version import __version__

Job = tuple[FewLabelsRow, Cell]


def run_few_labels(
    study: Study,
    data: Path,
    output: Path,
    *,
    work: Path,
    names: Sequence[str] = (),
    labels: Sequence[str] = (),
    rows: Sequence[FewLabelsRow] = ROWS,
) -> dict[str, Any]:
    """Train and score the requested rows and columns, and write the results.

    A .md and a .png file are written beside ``output``.

    The files also contain everything that ``output`` had before from the same settings and everything that ``work`` has
    scores of. So a table can be made in parts, and by several processes that share ``work``: each stage is trained by
    one of them while the others continue with another stage.

    Args:
        study: one of ``STUDIES``.
        data: root of the data.
        output: FILE.json. Settings are the configs and the data, not the code: remove the file to score all again.
        work: folder for the datalist, and for weights and scores by stage, which are reused.
        names: rows, as the table names them or with hyphens; none means all.
        labels: columns; none means all.
        rows: rows of the table.

    Raises:
        ValueError: For an unknown row or column, missing data or packages, or an output that is no such file; and for
            trainings that failed, after the files are written.
    """
    check_output(output, ["matplotlib"])
    chosen_rows, columns = _chosen_rows(rows, names), _chosen_columns(study, labels)
    work = work.absolute()
    dataset = prepare_study(study, data, work / "data")
    root = bundle_root("cardiac").with_name(study.bundle)
    context = RunContext(study=study, bundle_root=root, dataset=dataset, work=work)
    earlier = earlier_cells(output, rows, context)
    jobs = [
        (row, cell)
        for cell in _cells(columns)
        for row in chosen_rows
        if not has_scores(earlier, row, patients=cell.patients, draws=_draws(cell.patients))
    ]
    failures = run_jobs(jobs, context)
    command = recorded_command(study.task, output, rows=names, columns=labels)
    result = rounded_numbers(few_labels_result(rows, context, command=command, earlier=earlier))
    write_few_labels(result, output)
    if failures:
        raise DataError(f"{output.name} lacks {len(failures)} scores that could not be had:", failures)
    return result


def prepare_study(study: Study, data: Path, folder: Path) -> Path:
    """Write the datalist of the study and return its folder.

    The validation patients join the training section, since no setting is chosen by them here. So "all" means all
    patients but those of the report.
    """
    from data_prep.prepare import prepare

    prepared = prepare(study.dataset, data / study.source, folder / "prepared")
    content = json.loads(prepared.read_text(encoding="utf-8"))
    training = sorted(content["training"] + content["validation"], key=lambda case: case["case_id"])
    with atomic_path(folder / DATALIST_FILE) as temporary:
        text = json.dumps({**content, "training": training, "validation": []}, indent=1)
        temporary.write_text(text + "\n", encoding="utf-8")
    return folder


def run_jobs(jobs: Sequence[Job], context: RunContext) -> list[str]:
    """Score all jobs and return one line per failure.

    Jobs that another process works on come last, and are waited for when nothing else is left. A job that fails prints
    its traceback and does not stop the others.
    """
    todo, failures = list(jobs), []
    wait = False
    while todo:
        busy = []
        for row, cell in todo:
            name = f"{row.name}, labels {column_name(cell.patients)}, draw {cell.draw}"
            print_note(name)
            try:
                score_cell(row, cell, context, wait=wait)
            except BusyError:
                busy.append((row, cell))
            except Exception as error:  # a config can name anything, so anything can be raised
                print_traceback(error)
                lines = message_for_users(error) or [one_line(error)]
                failures.append(f"{name}: {'; '.join(lines)}")
            else:
                wait = False  # after waiting for one job, others may be free again
        wait = len(busy) == len(todo)
        todo = busy
    return failures


def _cells(columns: Sequence[int | None]) -> list[Cell]:
    """Return the cells, one draw after the other.

    So an interrupted table has as many columns as possible.
    """
    return [Cell(column, draw) for draw in DRAWS for column in columns if draw in _draws(column)]


def _draws(patients: int | None) -> Sequence[int]:
    """Return the draws of a column; there is only one way to draw all patients."""
    return DRAWS[:1] if patients is None else DRAWS


def few_labels_result(
    rows: Sequence[FewLabelsRow], context: RunContext, *, command: str, earlier: Cells
) -> dict[str, Any]:
    """Return the content of the files, from earlier cells and from the work folder."""
    from s3net_monai.data.datalist import load_datalist

    study = context.study
    names = [case["case_id"] for case in load_datalist(context.dataset, "test")]
    return {
        "schema_version": 1,
        "command": command,
        "package_version": __version__,
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
        "trainings": {row.name: trainings_of(row.stage, context) for row in rows},
        "rows": few_labels_results(rows, scored_cells(rows, DRAWS, context, earlier=earlier), REFERENCES),
    }


def write_few_labels(result: dict[str, Any], output: Path) -> None:
    """Write ``output`` as JSON, and the page and the plot that are made from it beside it."""
    from benchmarks.few_labels.page import few_labels_page
    from benchmarks.few_labels.plot import write_few_labels_plot

    output.parent.mkdir(parents=True, exist_ok=True)
    plot = write_few_labels_plot(result, output.with_suffix(".png"))
    write_json_and_page(result, few_labels_page(result, plot), output)


def _chosen_rows(rows: Sequence[FewLabelsRow], names: Sequence[str]) -> list[FewLabelsRow]:
    slugs = {slug(name) for name in names}
    unknown = sorted(slugs - {slug(row.name) for row in rows})
    if unknown:
        raise ValueError(f"no row {unknown[0]!r}; give some of {', '.join(slug(row.name) for row in rows)}")
    return [row for row in rows if not names or slug(row.name) in slugs]


def _chosen_columns(study: Study, labels: Sequence[str]) -> list[int | None]:
    columns = {column_name(patients): patients for patients in study.columns}
    unknown = sorted(set(labels) - set(columns))
    if unknown:
        raise ValueError(f"--labels: no column {unknown[0]!r} of {study.task}; give some of {','.join(columns)}")
    return [patients for name, patients in columns.items() if not labels or name in labels]
