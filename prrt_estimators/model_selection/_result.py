"""What a comparison found: tables, a summary, figures."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from prrt_estimators._io import absolute, atomic_write, file_digest
from prrt_estimators._pandas_tables import for_spreadsheets, from_spreadsheets
from prrt_estimators.exceptions import RunMismatchError
from prrt_estimators.metrics._predictions import PROBABILITY, with_score_column
from prrt_estimators.metrics._score import direction, main_score
from prrt_estimators.model_selection._compared import kind_of_run
from prrt_estimators.model_selection._corrected_tests import PrimaryTest, primary_test
from prrt_estimators.model_selection._descriptions import size_in_words
from prrt_estimators.model_selection._seal import is_whole, sealed
from prrt_estimators.model_selection._summary import chance_of_folds, format_summary, sizes_of_folds, summarise
from prrt_estimators.model_selection._tuned import inner_less_outer

_KEYS = ("model", "repeat", "fold")


@dataclass(repr=False)
class ModelComparison:
    """Results of :func:`compare_models`.

    Models that were skipped or failed are in `status` only: a model with some of its folds is not a result.

    Attributes
    ----------
    scores : DataFrame
        ``model``, ``repeat``, ``fold`` (counted from 0) and one column per metric.
    predictions : DataFrame
        Out-of-fold probabilities: ``model``, ``repeat``, ``fold``, ``patient_id``, ``y_true`` (1 = long PFS),
        ``y_score`` and its ``kind``: "p_long" is the probability of long PFS. Of times, ``y_true`` is months, "risk" a
        risk; with ``p_beyond``, P(PFS > horizon), and ``risk_group``, from 0 for the least third of the training
        patients' risks to 2.
    status : DataFrame
        ``model``, ``status`` ("ok", "skipped", "failed"), ``reason``, ``n_finished`` folds, ``seconds``,
        ``n_warnings``; one row per model in the order given.
    survival : DataFrame
        ``patient_id``, ``y_true``, and where they are known ``sample_weight``, ``time`` (months), ``event``.
    run : dict
        What run.json holds: versions, hardware, seeds, parameters, splits, timings, warnings.
    folder : Path or None
        Where the run lies on disk.
    """

    scores: pd.DataFrame
    predictions: pd.DataFrame
    status: pd.DataFrame
    survival: pd.DataFrame
    run: dict[str, Any]
    folder: Path | None = None

    def __repr__(self) -> str:
        head, table = self._shown()
        return f"{head}\n{table.to_string(index=False)}"

    def _repr_html_(self) -> str:
        head, table = self._shown()
        return f"<p>{head}</p>{table.to_html(index=False)}"

    def _shown(self) -> tuple[str, pd.DataFrame]:
        """A line on the comparison, and the table that the command line prints."""
        size = size_in_words(self.run, self.status["status"])
        return f"{type(self).__name__}: {size}", format_summary(self.summary())

    @property
    def gives_probabilities(self) -> bool:
        """Whether the models gave probabilities of long PFS; False for risks of survival models."""
        return PROBABILITY in (set(self.predictions["kind"]) if len(self.predictions) else {self.kind.gives})

    @property
    def metrics(self) -> list[str]:
        """Names of the scores."""
        return [name for name in self.scores.columns if name not in _KEYS]

    @property
    def best_model(self) -> str | None:
        """Model with the best mean AUROC (or first score); chosen after the fact, so its score flatters it."""
        if self.scores.empty:
            return None
        metric = main_score(self.metrics)
        repeats = self.scores.groupby(["model", "repeat"], sort=False)[metric].mean()
        means = direction(metric) * repeats.groupby("model", sort=False).mean()
        return None if means.isna().all() else str(means.idxmax())

    def summary(self, *, reference: str | None = "baseline_lab", n_boot: int = 2000) -> pd.DataFrame:
        """Return one row per model, in the order given.

        Parameters
        ----------
        reference : str or None, default="baseline_lab"
            Model that the others are tested against; None, or one that has no result, leaves the test out.
        n_boot : int, default=2000
            Draws of patients for the interval of the ensemble.

        Returns
        -------
        DataFrame indexed by model
            ``status``, ``n_patients``, ``n_repeats``, ``n_folds``, ``learnt_from`` ("time" or "class"); for each metric ``<metric>_mean`` and
            ``<metric>_sd``: mean and standard deviation over repeats of the mean over folds (the deviation tells
            the variation due to the splits and is not a confidence interval), ``<metric>_low`` and ``<metric>_high``: 95 % interval
            of the score to be expected of a model trained on the training share of such a cohort
            (:func:`score_interval`), and ``<metric>_chance``, what a model that knows
            nothing is expected to reach in such folds; ``prevalence_long``, the share of long PFS. Of the first metric:
            ``p_chance`` and, adjusted for the number of models, ``p_chance_holm``; ``auroc_pooled``, the mean over
            repeats of the AUROC of all out-of-fold probabilities, and ``auroc_ensemble``, that of probabilities averaged
            over repeats, with ``auroc_ensemble_low`` and ``auroc_ensemble_high``, an interval over patients (both left
            out with sample weights). ``reference``; for each metric the mean difference from it with its interval; of
            the first metric ``p_value`` and ``p_holm``, adjusted for the number of models (a primary comparison is
            tested alone). ``inner_less_outer``, where a model is tuned inside: how much its inner score (AUROC, or Uno's
            C) flatters it.

        Raises
        ------
        ValueError
            If `reference` is not a model of this comparison and not the default.
        """
        names = list(self.status["model"])
        if reference is not None and reference not in names:
            if reference != "baseline_lab":
                raise ValueError(f"reference must be one of {', '.join(names)} or None; got {reference!r}.")
            reference = None
        if reference is not None and reference not in set(self.scores["model"]):
            reference = None
        table = summarise(
            self.scores,
            self.predictions,
            self.survival,
            self.status,
            self.metrics,
            reference=reference,
            n_boot=n_boot,
            random_state=int(self.run.get("random_state", 0)),
            shares=self.kind.shares(self.survival),
            primary=self.primary,
        )
        optimism = inner_less_outer(self.run, self.scores, main_score(self.metrics)) if self.metrics else pd.Series()
        if len(optimism):
            table["inner_less_outer"] = optimism.reindex(table.index)
        return table

    @property
    def kind(self) -> Any:
        """What was compared on: classes or times."""
        return kind_of_run(self.run)

    @property
    def primary(self) -> tuple[str, str] | None:
        """Models of the comparison that was named before the run, None if none was."""
        named = self.run.get("primary")
        return None if named is None else (named["models"][0], named["models"][1])

    def chance(self) -> dict[str, float]:
        """Return what a model that knows nothing is expected to reach on these folds, by metric."""
        return chance_of_folds(self.predictions, self.survival, self.metrics)

    def primary_test(self) -> PrimaryTest:
        """Return difference, interval, p value and power of the primary comparison, which is tested alone.

        Returns
        -------
        PrimaryTest
            ``model``, ``reference``, ``score``, ``difference``, ``low``, ``high``, ``pvalue`` and ``power``, the
            probability with which a true difference of 0.10 would be found with the standard error of these folds; NaN
            where a model has no result.

        Raises
        ------
        ValueError
            If no comparison was named.
        """
        if self.primary is None:
            raise ValueError("no primary comparison was named; pass primary=('a', 'b') to compare_models.")
        model, reference = self.primary
        return primary_test(self.scores, model, reference, main_score(self.metrics), **self.sizes_of_folds())

    def sizes_of_folds(self) -> dict[str, float]:
        """Return ``n_test`` and ``n_train``, the mean number of patients in a test and in a training set."""
        return sizes_of_folds(self.predictions, self.survival)

    def plot(self) -> Any:
        """Bars of AUROC and AUPRC by model; return the display with its ``figure_``."""
        from prrt_estimators.model_selection._figures import score_bars

        return score_bars(self)

    def figures(self, *, horizon: float | None = 12.0, followup: np.ndarray | None = None) -> dict[str, Any]:
        """Draw every figure of the study that the data allow.

        Parameters
        ----------
        horizon : float or None, default=12.0
            Months that divide short from long PFS.
        followup : structured array with ``event`` and ``time``, default=None
            Of everybody, for the curve of the cohort (``load_cohort(...).followup``); the patients compared if None.

        Returns
        -------
        dict of str to Panel
            ``figure`` (matplotlib) and ``caption`` by name: ``auroc_auprc``, ``roc``, ``precision_recall``,
            ``kaplan_meier_cohort`` and ``kaplan_meier_<model>`` for the model with the highest mean AUROC.
        """
        from prrt_estimators.model_selection._figures import draw_all

        return draw_all(self, horizon, followup)

    def save_figures(
        self,
        folder: str | os.PathLike[str] | None = None,
        *,
        horizon: float | None = 12.0,
        figures: dict[str, Any] | None = None,
    ) -> dict[str, list[Path]]:
        """Write every figure as PNG, SVG and PDF.

        Parameters
        ----------
        folder : path, default=None
            ``figures`` in the folder of the run.
        horizon : float or None, default=12.0
            Months that divide short from long PFS.
        figures : dict of str to Panel, default=None
            From :meth:`figures`, if they are drawn already.

        Returns
        -------
        dict of str to list of Path
            Files by name of the figure.
        """
        from prrt_estimators.model_selection._figures import save_all

        target = _given(folder, self.folder, "figures")
        return save_all(self.figures(horizon=horizon) if figures is None else figures, target)

    def write(self, folder: str | os.PathLike[str] | None = None) -> Path:
        """Write scores.csv, predictions.csv, summary.csv, patients.csv and run.json, each whole or not at all.

        Parameters
        ----------
        folder : path, default=None
            The folder of the run.

        Returns
        -------
        Path
        """
        target = _given(folder, self.folder, "")
        tables = {
            "scores.csv": self.scores,
            "predictions.csv": self.predictions,
            "patients.csv": self.survival,
            "summary.csv": self.summary().reset_index(),
        }
        files = {}
        for name, table in tables.items():
            with atomic_write(target / name) as temporary:
                for_spreadsheets(table).to_csv(temporary, index=False, lineterminator="\n")
                files[name] = file_digest(temporary)
        with atomic_write(target / "run.json") as temporary:
            text = json.dumps(sealed({**self.run, "files": files}), indent=1, ensure_ascii=False)
            temporary.write_text(text + "\n", encoding="utf-8")
        return target


def _given(folder: str | os.PathLike[str] | None, own: Path | None, name: str) -> Path:
    if folder is not None:
        return Path(folder)
    if own is None:
        raise ValueError("this comparison has no folder of its own; name one to write to.")
    return own / name if name else own


def status_table(run: dict[str, Any]) -> pd.DataFrame:
    """One row per model from the entries of run.json."""
    rows = [
        {
            "model": name,
            "status": entry["status"],
            "reason": entry.get("reason", ""),
            "n_finished": entry.get("n_finished", 0),
            "seconds": entry.get("seconds", 0.0),
            "n_warnings": len(entry.get("warnings", [])),
            "learnt_from": entry.get("learnt_from", ""),
        }
        for name, entry in run["models"].items()
    ]
    return pd.DataFrame(rows)


def _check_digests(run: dict[str, Any], folder: Path) -> None:
    """Refuse files that are no longer what the run wrote; a run of before digests has nothing to compare."""
    changed = [] if is_whole(run) else ["run.json"]
    for name, digest in run.get("files", {}).items():
        if name != "summary.csv" and (folder / name).is_file() and file_digest(folder / name) != digest:
            changed.append(name)
    if changed:
        raise RunMismatchError(
            f"the results in {folder} are damaged: {', '.join(changed)} changed since the run wrote them. Run the "
            "comparison again with this folder: finished folds are kept."
        )


def load_comparison(folder: str | os.PathLike[str]) -> ModelComparison:
    """Read the results of a finished run.

    Parameters
    ----------
    folder : path
        The ``out`` of :func:`compare_models`.

    Returns
    -------
    ModelComparison

    Raises
    ------
    FileNotFoundError
        If there is no finished run.
    RunMismatchError
        If a file is damaged.
    """
    path = Path(absolute(folder))
    missing = [name for name in ("run.json", "scores.csv", "predictions.csv") if not (path / name).is_file()]
    if missing:
        raise FileNotFoundError(
            f"{path} holds no finished comparison ({', '.join(missing)} missing). Run the comparison again with "
            "this folder: the run resumes."
        )
    try:
        run = json.loads((path / "run.json").read_text(encoding="utf-8"))
        _check_digests(run, path)
        if run["status"] != "finished":
            raise FileNotFoundError(
                f"the comparison in {path} has not finished. Run it again with this folder: the run resumes."
            )
        tables = {
            name: from_spreadsheets(
                pd.read_csv(
                    path / f"{name}.csv",
                    dtype={"model": str, "patient_id": str},
                    float_precision="round_trip",
                    keep_default_na=False,
                    na_values={column: [""] for column in (*run["scoring"], "time", "event")},
                )
            )
            for name in ("scores", "predictions", "patients")
        }
        return ModelComparison(
            scores=tables["scores"],
            predictions=with_score_column(tables["predictions"]),
            status=status_table(run),
            survival=tables["patients"],
            run=run,
            folder=path,
        )
    except (FileNotFoundError, RunMismatchError):
        raise
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, OSError) as error:
        raise RunMismatchError(
            f"the results in {path} are damaged ({type(error).__name__}: {error}). Run the comparison again with "
            "this folder: finished folds are kept."
        ) from error
