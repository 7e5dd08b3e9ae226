"""What the shards of one run, and a run and the one that it continues, must share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from s3net_monai.inference.report.report import Report
from s3net_monai.utils.errors import UsageError


def differences(earlier: Report, report: Report) -> list[str]:
    """Return what a shard does not share with the report that it finds, each as "name (there, here)"."""
    there, here = earlier.configuration(), report.configuration()
    pairs = [("--task", there.pop("task"), here.pop("task"))]
    pairs.append(("model", _model(there.pop("model")), _model(here.pop("model"))))
    settings, own_settings = there.pop("settings"), here.pop("settings")
    pairs += [(f"--{name}", settings.get(name), own_settings.get(name)) for name in {**settings, **own_settings}]
    pairs.append(("classes", there.pop("labels"), here.pop("labels")))
    differing = [f"{name} ({_text(old)} there, {_text(new)} here)" for name, old, new in pairs if old != new]
    if earlier.shards not in (1, report.shards):
        differing.append(f"number of shards ({earlier.shards} there, {report.shards} here)")
    if earlier.cases_sha256 != report.cases_sha256:
        differing.append(f"inputs ({earlier.num_cases} cases there, {report.num_cases} here)")
    return differing


def check_pseudonyms(earlier: Report, report: Report, folder: Path) -> None:
    """Refuse to continue a run that had another secret for pseudonyms.

    Args:
        earlier: the report of that run.
        report: of this run.
        folder: of both.

    Raises:
        UsageError: with what helps.
    """
    if earlier.pseudonyms and report.pseudonyms and earlier.pseudonyms != report.pseudonyms:
        raise UsageError(
            f"{folder}: the run there had another secret for pseudonyms, so its cases would get other names; give "
            "--key with the file of that run, or run as the same user on the same machine"
        )


def check_agreement(earlier: Report, report: Report, folder: Path, *, others_run: bool) -> None:
    """Refuse a shard that would not belong to the same run as the entries in the report that it finds.

    Args:
        earlier: the report that the shard finds.
        report: of the shard.
        folder: of the run.
        others_run: whether other shards write into ``folder``.

    Raises:
        UsageError: naming what differs.
    """
    differing = differences(earlier, report)
    if not differing or not (others_run or earlier.cases):
        return
    fresh = "wait for the end of the shards that run" if others_run else "begin a new run with --overwrite"
    raise UsageError(
        f"{folder}: its report.json is of shards that differ in {', '.join(differing)}; start all shards with the same "
        f"options and inputs, {fresh}, or give another folder"
    )


def _model(model: dict[str, str]) -> str:
    weights, config = (str(model.get(key) or "")[:8] for key in ("sha256", "config_sha256"))
    return f"{model.get('name')} {model.get('version')}, weights {weights}, config {config}"


def _text(value: Any) -> str:
    if not isinstance(value, list):
        return str(value)
    return ",".join(str(item["name"] if isinstance(item, dict) else item) for item in value) or "none"
