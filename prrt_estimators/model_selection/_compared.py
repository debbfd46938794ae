"""What a comparison asks of the kind of target: one record for classes, one for times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from prrt_estimators._registry import Registry
from prrt_estimators._survival import has_causes, is_survival
from prrt_estimators._targets import ClassTarget, target_of
from prrt_estimators._time_target import TimeTarget
from prrt_estimators.metrics import prrt_scorers, survival_curves
from prrt_estimators.metrics._predictions import PROBABILITY, RISK
from prrt_estimators.model_selection._cohort_table import cohort_table
from prrt_estimators.model_selection._horizon import HorizonClassifierSurvival
from prrt_estimators.model_selection._target_comparison import TargetComparison, data_in_words

#: Groups of patients by risk, divided where thirds of the training patients are.
N_GROUPS = 3


class ClassComparison(TargetComparison):
    """Long and short PFS."""

    gives = PROBABILITY

    def described(self) -> dict[str, Any]:
        """Return what run.json holds of it."""
        return {"name": self.name}

    def sides(self, y: np.ndarray) -> str:
        """Return what the strata are and how many patients they have, for messages."""
        counts = self.counts(y)
        return f"with short PFS: {counts['n_short']}, with long PFS: {counts['n_long']}"

    def counts(self, y: np.ndarray) -> dict[str, int]:
        """Return how many patients there are of each outcome."""
        strata = self.strata(y)
        return {"n_long": int(strata.sum()), "n_short": int(len(strata) - strata.sum())}

    def shown(self, y: np.ndarray) -> np.ndarray:
        """Return the column ``y_true`` of tables."""
        return self.strata(y)

    def counts_of(self, patients: pd.DataFrame) -> np.ndarray:
        """Return how many patients of a table have each outcome."""
        return np.bincount(patients["y_true"].to_numpy(dtype=int), minlength=2)

    def shares(self, patients: pd.DataFrame) -> dict[str, float]:
        """Return the shares of outcomes that a summary holds."""
        long = float(np.average(patients["y_true"], weights=patients.get("sample_weight")))
        return {"prevalence_long": long, "prevalence_short": 1 - long}

    def question(self, horizon: float, modalities: Sequence[str] = ()) -> str:
        """Return what a comparison of these modalities asks."""
        return (
            f"Can {data_in_words(modalities)} before therapy tell which patients stay free of progression for more than "
            f"{horizon:g} months (long PFS, the positive class) and which do not (short PFS)?"
        )

    def notes(self) -> str:
        """Return how the scores of its table are read."""
        return (
            "AUROC of chance is 0.5; AUPRC of chance is what a random ranking reaches on average in a fold of this size. "
            "Brier score: lower is better."
        )

    def outcomes(self, data: Mapping[str, Any], followup: np.ndarray | None = None) -> list[tuple[str, int]]:
        """Return the patients of each class."""
        return [("with short PFS", data["n_short"]), ("with long PFS", data["n_long"])]

    def described_cohort(self, X: Any, y: np.ndarray, followup: np.ndarray | None) -> pd.DataFrame | None:
        """Return the table of the cohort by class."""
        return cohort_table(X, y, followup=followup)

    def tuned(self, model: Any, grid: Any) -> Any:
        """Return the model with its parameters chosen inside each training set."""
        from prrt_estimators.model_selection._tuned import TunedClassifier  # it asks this registry

        return TunedClassifier(model, grid)

    def with_causes(self, patients: pd.DataFrame, followup: np.ndarray) -> list[str]:
        """Return what models learn of patients who died without progression."""
        return ["Death ends progression-free survival as progression does: who died by the horizon has short PFS."]

    def panels(self, comparison: Any, horizon: float | None, followup: np.ndarray | None) -> dict[str, Any]:
        """Return the figures with their captions."""
        from prrt_estimators.model_selection._figures import panels_of_classes  # it draws, and takes matplotlib

        return panels_of_classes(comparison, horizon, followup)


class TimeComparison(TargetComparison):
    """Times to progression; classifiers learn the class at the horizon.

    Parameters
    ----------
    horizon : float, default=12.0
        Months.
    """

    gives = RISK

    def __init__(self, horizon: float = 12.0):
        super().__init__(TimeTarget(horizon=float(horizon)))

    def at(self, horizon: float) -> TimeComparison:
        """Return the kind with a horizon in months."""
        return TimeComparison(horizon)

    def described(self) -> dict[str, Any]:
        """Return its name and horizon."""
        return {"name": self.name, "horizon": self.target.horizon}

    def sides(self, y: np.ndarray) -> str:
        """Return what the strata are and how many patients they have, for messages."""
        strata, events = self.strata(y), int(y["event"].sum())
        if np.array_equal(strata, y["event"]):
            return f"who progressed: {events}, who were censored: {len(y) - events}"
        early = int((strata == 0).sum())
        return f"who progressed by {self.target.horizon:g} months: {early}, others: {len(y) - early}"

    def learnable(self, y: np.ndarray) -> bool:
        """Return whether anybody progressed."""
        return bool(y["event"].any())

    def counts(self, y: np.ndarray) -> dict[str, int]:
        """Return progressions and censored patients."""
        return {"n_events": int(y["event"].sum()), "n_censored": int((~y["event"]).sum())}

    def scorers(self) -> dict[str, Any]:
        """Return the scores of times."""
        return dict(prrt_scorers(self.name, horizon=self.target.horizon))

    def inputs(self, model: Any, X: Any, y: np.ndarray) -> dict[str, Any]:
        """Return nothing: the times are y."""
        return {}

    def depends_on(self, model: Any, X: Any, y: np.ndarray) -> tuple[Any, ...]:
        """Return the horizon."""
        return (f"horizon {self.target.horizon!r}",)

    def evaluate(
        self, model: Any, train: tuple[Any, np.ndarray], test: tuple[Any, np.ndarray], scorers: Any, weight: Any
    ) -> tuple[dict[str, float], dict[str, Any]]:
        """Return scores, the risk, P(PFS > horizon), and the third of the training patients' risks."""
        risk, kind = self.target.predicted(model, test[0])
        given = {
            name: scorer.given(train=train[1], horizon=self.target.horizon) if hasattr(scorer, "given") else scorer
            for name, scorer in scorers.items()
        }
        found = {name: float(scorer(model, *test)) for name, scorer in given.items()}
        cuts = np.quantile(model.predict(train[0]), np.arange(1, N_GROUPS) / N_GROUPS)
        beyond = survival_curves(model, test[0], [self.target.horizon])[:, 0]
        columns = {
            "y_score": risk.tolist(),
            "kind": kind,
            "p_beyond": beyond.tolist(),
            "risk_group": np.searchsorted(cuts, risk, "right").tolist(),
        }
        return found, columns

    def shown(self, y: np.ndarray) -> np.ndarray:
        """Return the months."""
        return y["time"]

    def patients(self, y: np.ndarray) -> dict[str, np.ndarray]:
        """Return months and events."""
        return {"y_true": y["time"], "time": y["time"], "event": y["event"].astype(int)}

    def counts_of(self, patients: pd.DataFrame) -> np.ndarray:
        """Return how many patients were censored and how many progressed."""
        return np.bincount(patients["event"].to_numpy(dtype=int), minlength=2)

    def shares(self, patients: pd.DataFrame) -> dict[str, float]:
        """Return the share of patients who progressed."""
        return {"share_progressed": float(np.average(patients["event"], weights=patients.get("sample_weight")))}

    def question(self, horizon: float, modalities: Sequence[str] = ()) -> str:
        """Return what a comparison of these modalities asks."""
        return (
            f"Can {data_in_words(modalities)} before therapy tell when patients progress? Patients who were followed for a "
            "while without progression (censored) count for as long as they were followed. Scores of one moment are taken "
            f"at {self.target.horizon:g} months."
        )

    def notes(self) -> str:
        """Return how the scores of its table are read."""
        return (
            "Uno's and Harrell's C and AUC of chance are 0.5. Brier scores, errors and distances: lower is better. Censoring "
            "is weighted as among the training patients of each fold, which assumes that who is censored does not depend on "
            "the risk. A classifier learns the class at the horizon from patients whose class is known, and predicts for "
            "this moment alone: scores of whole curves are left empty."
        )

    def outcomes(self, data: Mapping[str, Any], followup: np.ndarray | None = None) -> list[tuple[str, int]]:
        """Return progressions and censored patients."""
        both = followup is not None and has_causes(followup) and data["n_events"] == followup["event"].sum()
        seen = "with progression or death seen" if both else "with progression seen"
        return [(seen, data["n_events"]), ("with censored time", data["n_censored"])]

    def described_cohort(self, X: Any, y: np.ndarray, followup: np.ndarray | None) -> pd.DataFrame | None:
        """Return None: the table is one by class."""
        return None

    def tuned(self, model: Any, grid: Any) -> Any:
        """Return the model with its parameters chosen inside each training set."""
        from prrt_estimators.model_selection._tuned_survival import TunedSurvival  # it clones and seeds as folds do

        return TunedSurvival(model, grid)

    def without_causes(self) -> list[str]:
        """Return what is to be said where the table does not code deaths without progression apart."""
        return [
            "Death without progression is not coded apart in the table: it counts as the event column has it, and competing "
            "risks are not shown."
        ]

    def with_causes(self, patients: pd.DataFrame, followup: np.ndarray) -> list[str]:
        """Return what models learn of patients who died without progression."""
        if int(patients["event"].sum()) == int(followup["event"].sum()):
            return ["The models learn progression-free survival, which progression and death both end."]
        return [
            "The models are cause-specific: they learn the hazard of progression, and a patient who died without it is "
            "censored at death. P(PFS > t) of such a model, its scores and its calibration describe what would be seen if "
            "nobody died without progression; it is not 1 minus the cumulative incidence."
        ]

    def panels(self, comparison: Any, horizon: float | None, followup: np.ndarray | None) -> dict[str, Any]:
        """Return the figures with their captions."""
        from prrt_estimators.model_selection._figures import panels_of_times

        return panels_of_times(comparison, horizon, followup)


#: What comparisons of a target need beyond the target itself; `TargetComparison` is enough for others.
COMPARED: Registry[Any] = Registry("kind of comparison", ClassComparison(ClassTarget()), TimeComparison())


def comparison_of(target: Any, horizon: float = 12.0) -> Any:
    """Return what a comparison asks of a target."""
    known = COMPARED.get(target.name)
    return TargetComparison(target) if known is None else known.at(horizon)


def kind_of_run(run: Mapping[str, Any]) -> Any:
    """Return the kind of a run; those of before compared classes."""
    described = run.get("target", {"name": "class"})
    known = COMPARED.get(described["name"])
    return TargetComparison.of_run(described) if known is None else known.at(described.get("horizon", 12.0))


def with_times(models: Mapping[str, Any], y: Any, horizon: float) -> dict[str, Any]:
    """Return models as they are, but classifiers as models of the class at the horizon where y holds times."""
    if not is_survival(y):
        return dict(models)
    return {
        name: HorizonClassifierSurvival(model, horizon=horizon)
        if hasattr(model, "predict_proba") and target_of(model).name == ClassTarget.name
        else model
        for name, model in models.items()
    }
