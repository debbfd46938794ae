"""``prrt compare``: the comparison of all models, on disk."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from prrt_estimators._model_specs import MODELS, find_model
from prrt_estimators.cli import _options as o
from prrt_estimators.cli._console import MODEL_FAILED, OK, noted_warnings, print_table, reported, say
from prrt_estimators.cli._model_options import takes_models


class Tracker(StrEnum):
    """What keeps the results of experiments."""

    mlflow = "mlflow"


@reported
@o.takes_table
@takes_models()
def compare(
    cohort: o.CohortFile,
    out: Annotated[Path, typer.Option(help="Folder of results; rerun the same command to resume.", show_default=False)],
    models: o.Models = "all",
    repeats: o.Repeats = 10,
    folds: o.Folds = 3,
    jobs: o.Jobs = None,
    seed: o.Seed = 0,
    no_report: o.NoReport = False,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="Also explain the models out of fold: labs, modalities, feature space, maps (explain/)."
        ),
    ] = False,
    explain_model: Annotated[
        str | None,
        typer.Option(
            help="Model whose modalities, feature space and maps are explained; implies --explain. "
            "(default: the best of those with the most modalities)",
            show_default=False,
        ),
    ] = None,
    part: Annotated[
        str | None,
        typer.Option(
            help="Run one part of the folds, e.g. 3/8; the last part to finish writes the results.", show_default=False
        ),
    ] = None,
    merge: Annotated[
        bool, typer.Option("--merge", help="Write the results of parts that have all finished (--part).")
    ] = False,
    scheduler: Annotated[
        str | None,
        typer.Option(help="Dask scheduler: a file, an address such as tcp://host:8786, or local.", show_default=False),
    ] = None,
    primary: Annotated[
        str | None,
        typer.Option(
            help="The comparison that the study is about, named before the run, e.g. pet_ct_lab:lab. It is tested alone, "
            "the others are adjusted for their number.",
            show_default=False,
        ),
    ] = None,
    track: Annotated[
        Tracker | None,
        typer.Option(
            help="Log the results, the report and the figures to MLflow (MLFLOW_TRACKING_URI).", show_default=False
        ),
    ] = None,
    quiet: o.Quiet = False,
    *,
    table: dict[str, Any],
    model_options: dict[str, Any],
) -> int | None:
    """Cross-validate every model on the same splits; write tables, figures and a report.

    If the run is interrupted, rerun the same command to resume; the numbers are the same.

    Exit code: 0 all models ran or were skipped, 1 a model failed, 2 wrong usage or input, 130 interrupted.
    """
    # Beside survival models, classifiers of the class at the horizon: a column of one table.
    beside = "time,recommended_no_prior,lab,baseline_lab"
    chosen = o.chosen_models(beside if models == "all" and table["target"] in o.TIMES else models)
    if table["target"] == "auto" and all(MODELS[name].target in o.TIMES for name in chosen):
        table = table | {"target": "survival"}
    pieces = _part(part, merge, scheduler, out)
    _check_explained(explain or explain_model is not None, explain_model, chosen)
    if track is not None:
        from prrt_estimators.model_selection._tracking import check_tracker

        check_tracker(track.value)

    from prrt_estimators.datasets import load_cohort

    with noted_warnings() as warned:
        data = load_cohort(cohort, verbose=not quiet, **table)
    return run_comparison(
        data,
        out,
        models=chosen,
        model_options=model_options,
        repeats=repeats,
        folds=folds,
        jobs=jobs,
        seed=seed,
        report=not no_report,
        explain=explain or explain_model is not None,
        explained=explain_model,
        verbose=not quiet,
        cohort_warnings=warned,
        part=pieces,
        primary=_pair(primary, chosen),
        scheduler=scheduler,
        track_with=None if track is None else track.value,
    )


def _part(part: str | None, merge: bool, scheduler: str | None, out: Path) -> tuple[int, int] | None:
    """Read `--part`; refuse what cannot go together, and to merge before all parts have finished."""
    if (part is not None) + merge + (scheduler is not None) > 1:
        raise typer.BadParameter("use only one of --part, --merge and --scheduler.", param_hint="--part")
    if merge:
        from prrt_estimators.model_selection import missing_parts

        if left := missing_parts(out):
            raise typer.BadParameter(f"parts {', '.join(map(str, left))} have not finished.", param_hint="--merge")
    if part is None:
        return None
    number, _, of = part.partition("/")
    if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        raise typer.BadParameter(f"must be NUMBER/OF, e.g. 3/8; got {part}.", param_hint="--part")
    return int(number), int(of)


def _pair(primary: str | None, chosen: list[str]) -> list[str] | None:
    if primary is None:
        return None
    pair = [name.strip() for name in primary.split(":")]
    pair = [name if (spec := find_model(name)) is None else spec.name for name in pair]
    if len(pair) != 2 or pair[0] == pair[1] or not set(pair) <= set(chosen):
        raise typer.BadParameter(
            f"expected two different models of --models with a colon, e.g. pet_ct_lab:lab; got {primary!r}.",
            param_hint="--primary",
        )
    return pair


def _check_explained(wanted: bool, name: str | None, chosen: list[str]) -> None:
    """Refuse before the comparison what would end in an error after it."""
    from importlib.util import find_spec

    from prrt_estimators.exceptions import MissingDependencyError

    missing = [package for package in ("shap", "captum", "umap") if wanted and find_spec(package) is None]
    if missing:
        raise MissingDependencyError(
            f'--explain needs {", ".join(missing)}; install them with: pip install "prrt-estimators[explain]"'
        )
    with_scans = [one for one in chosen if MODELS[one].maps]
    if name is not None and name not in with_scans:
        raise typer.BadParameter(
            f"{name} is not compared or has no maps; choose from {', '.join(with_scans) or 'none'}.",
            param_hint="--explain-model",
        )


def run_comparison(
    data: Any,
    out: Path,
    *,
    models: list[str],
    model_options: dict[str, Any],
    repeats: int,
    folds: int,
    jobs: int | None,
    seed: int,
    report: bool,
    verbose: bool,
    explain: bool = False,
    explained: str | None = None,
    cohort_warnings: Sequence[str] = (),
    primary: Sequence[str] | None = None,
    notice: str | None = None,
    part: tuple[int, int] | None = None,
    scheduler: str | None = None,
    track_with: str | None = None,
) -> int:
    """Compare, write, print; return the exit code."""
    from sklearn.model_selection import RepeatedStratifiedKFold

    from prrt_estimators.metrics._score import score_title
    from prrt_estimators.model_selection import (
        RepeatedStratifiedGroupKFold,
        compare_models,
        compare_part,
        format_summary,
        missing_parts,
    )
    from prrt_estimators.model_selection._dask import connect
    from prrt_estimators.model_selection._models import make_models, named_specs

    repeated: Any = RepeatedStratifiedKFold if data.group is None else RepeatedStratifiedGroupKFold
    if data.y is None:
        raise ValueError("the table has no outcome to compare models by; name its columns with --time and --event.")
    estimators = make_models(named_specs(models), **model_options)
    options: dict[str, Any] = {
        "cv": repeated(n_splits=folds, n_repeats=repeats, random_state=seed),
        "groups": data.group,
        "primary": primary,
        "sample_weight": data.sample_weight,
        "n_jobs": _default_jobs(model_options["device"]) if jobs is None else jobs,
        "random_state": seed,
        "horizon": data.horizon,
        "out": out,
        "cohort_warnings": cohort_warnings,
        "verbose": int(verbose),
    }
    if part is not None and not compare_part(estimators, data.X, data.y, part=part, **options):
        say(f"Part {part[0]} of {part[1]} has finished; not yet: {', '.join(map(str, missing_parts(out)))}.")
        return OK
    with contextlib.nullcontext() if scheduler is None else connect(scheduler) as client:
        comparison = compare_models(estimators, data.X, data.y, client=client, **options)
    print_table(
        comparison.summary().pipe(format_summary),
        title="Mean and standard deviation over repeats",
        minor=tuple(score_title(name) for name in comparison.metrics)[2:],
    )
    for row in comparison.status.itertuples(index=False):
        if row.status == "failed":  # what was skipped is said before the first fold
            say(f"{row.model}: failed: {row.reason}")
    centres = _by_centre(estimators, data, options, quiet=not verbose)
    if report:
        _write_pages(comparison, data, out, notice, centres)
    if track_with is not None:
        from prrt_estimators.model_selection import log_to_mlflow

        shown = [
            out / name for name in ("report.html", "summary.csv", "scores.csv", "figures") if (out / name).exists()
        ]
        say(f"MLflow run: {log_to_mlflow(comparison, artefacts=shown)}")
    if verbose:  # before explaining, which takes its time and may find nothing to explain
        say(f"Results: {out}" + (f"; open {out / 'report.html'}" if report else ""))
    if explain:
        _explain(comparison, data, out, models, model_options, explained, folds, seed, verbose)
        if report and (out / "explain" / "explain.html").is_file():
            _write_pages(comparison, data, out, notice, centres)  # with a link to it
    return MODEL_FAILED if (comparison.status["status"] == "failed").any() else OK


def _by_centre(estimators: Any, data: Any, options: dict[str, Any], *, quiet: bool) -> Any:
    """Leave out each centre in turn, print the table and write it; None without centres."""
    if data.centre is None:
        return None
    from prrt_estimators._io import atomic_write
    from prrt_estimators._pandas_tables import for_spreadsheets
    from prrt_estimators.evaluation import centre_table, leave_one_centre_out

    if not quiet:
        say("Each centre is left out in turn.")
    own = {name: value for name, value in options.items() if name != "cv"} | {"out": options["out"] / "centres"}
    found = leave_one_centre_out(estimators, data.X, data.y, data.centre, **own)
    table = centre_table(found, data.centre)
    with atomic_write(options["out"] / "centres.csv") as temporary:
        for_spreadsheets(table).to_csv(temporary, index=False, lineterminator="\n")
    print_table(table.round(3).astype(str).replace("nan", ""), title="By centre, learnt from the others")
    return table


def _default_jobs(device: str) -> int:
    """Folds at once: small networks gain more from processes than from threads, and one GPU is not shared."""
    import joblib
    import torch

    gpu = device not in ("auto", "cpu") or (device == "auto" and torch.accelerator.is_available())
    return 1 if gpu else min(4, joblib.cpu_count())


def _write_pages(comparison: Any, data: Any, out: Path, notice: str | None, centres: Any) -> None:
    from prrt_estimators._io import atomic_write
    from prrt_estimators._pandas_tables import for_spreadsheets
    from prrt_estimators.contours import count_corrected
    from prrt_estimators.evaluation import inputs_by_class
    from prrt_estimators.report import write_report
    from prrt_estimators.report._common_subgroups import common_subgroups

    figures = comparison.figures(horizon=data.horizon, followup=data.followup)
    comparison.save_figures(figures=figures)
    described = comparison.kind.described_cohort(data.X, data.y, data.followup)
    if described is not None:
        with atomic_write(out / "cohort_table.csv") as temporary:
            for_spreadsheets(described).to_csv(temporary, index=False, lineterminator="\n")
    write_report(
        comparison,
        out,
        cohort_table=described,
        excluded=data.excluded,
        roles=data.roles,
        horizon=data.horizon,
        figures=figures,
        corrected=count_corrected(data.X),
        notice=notice,
        followup=data.followup,
        inputs=inputs_by_class(data.X, data.y) if comparison.gives_probabilities else None,
        subgroups=common_subgroups(data),
        centres=centres,
    )


def _explain(
    comparison: Any,
    data: Any,
    out: Path,
    names: list[str],
    model_options: dict[str, Any],
    explained: str | None,
    folds: int,
    seed: int,
    verbose: bool,
) -> None:
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    from prrt_estimators.model_selection import Skipped
    from prrt_estimators.model_selection._models import make_models, named_specs
    from prrt_estimators.report import explain_models
    from prrt_estimators.report._explain import NothingToExplainError

    ran = set(comparison.status.loc[comparison.status["status"] == "ok", "model"])
    if explained is not None and explained not in ran:
        say(f"Warning: {explained} has no result and is not explained.")
        return
    strata = comparison.kind.strata(data.y)
    kind: Any = StratifiedKFold if data.group is None else StratifiedGroupKFold
    models = make_models(named_specs(names), **(model_options | {"random_state": seed}))
    try:
        page = explain_models(
            {name: model for name, model in models.items() if name in ran and not isinstance(model, Skipped)},
            data.X,
            data.y,
            out / "explain",
            cv=list(kind(folds, shuffle=True, random_state=seed).split(strata, strata, data.group)),
            summary=comparison.summary(),
            scans=explained,
            horizon=data.horizon,
            random_state=seed,
            progress=say if verbose else None,
        )
    except NothingToExplainError as error:
        say(f"Warning: {error}")
        return
    say(f"What the models go by: {page}")
