"""What a comparison asks of any target: a kind that has questions and figures of its own derives from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from sklearn import get_config
from sklearn.metrics import check_scoring

from prrt_estimators._classes import in_ascending_order
from prrt_estimators._fit_times import fit_names, fit_times, survival_of
from prrt_estimators._modalities import MODALITIES
from prrt_estimators.metrics import prrt_scorers
from prrt_estimators.model_selection._weights import takes_weight


def data_in_words(modalities: Sequence[str]) -> str:
    """Return what is known of the patients, for a sentence.

    Examples
    --------
    >>> data_in_words(list(MODALITIES)), data_in_words([])
    ('laboratory values, PET and CT', 'what is known')
    """
    tables_first = sorted(modalities, key=lambda name: name in MODALITIES and MODALITIES[name].scan)
    texts = [MODALITIES[name].text if name in MODALITIES else name for name in tables_first]
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts) or "what is known"


class TargetComparison:
    """What a comparison asks of a target that it knows nothing more of.

    Parameters
    ----------
    target : Target
        Only its name and title are known where a run is read that was made with a target of somebody else.
    """

    #: Kind of the scores of patients, where there are none to look at.
    gives = ""

    def __init__(self, target: Any):
        self.target = target

    @classmethod
    def of_run(cls, described: Mapping[str, Any]) -> TargetComparison:
        """Return the kind from what run.json holds of it."""
        return cls(SimpleNamespace(**described))

    @property
    def name(self) -> str:
        """Of the target."""
        return str(self.target.name)

    @property
    def title(self) -> str:
        """What is learnt, in words."""
        return str(getattr(self.target, "title", "") or self.name)

    @property
    def topic(self) -> str:
        """Return what the page of a comparison is headed by."""
        return "progression-free survival" if getattr(self.target, "of_progression", False) else self.title

    @property
    def groups(self) -> list[str]:
        """Names of the groups that folds keep in balance, as far as the target has some."""
        return [str(one) for one in getattr(self.target, "groups", ())]

    def at(self, horizon: float) -> TargetComparison:
        """Return the kind with a horizon in months; itself where y was made with one."""
        return self

    def described(self) -> dict[str, Any]:
        """Return what run.json holds of it."""
        return {"name": self.name, "title": self.title, "groups": self.groups}

    def check(self, y: Any, n: int) -> np.ndarray:
        """Return y as it is learnt."""
        return self.target.check_coded(y, n)

    def strata(self, y: np.ndarray) -> np.ndarray:
        """Return whole numbers from 0 on, whose shares folds keep in balance."""
        return np.asarray(self.target.strata(y)).astype(np.int64)

    def sides(self, y: np.ndarray) -> str:
        """Return what the strata are and how many patients they have, for messages."""
        return ", ".join(f"{name}: {count}" for name, count in self.counts(y)["groups"])

    def learnable(self, y: np.ndarray) -> bool:
        """Return whether these patients can be learnt from."""
        return len(np.unique(self.strata(y))) > 1

    def counts(self, y: np.ndarray) -> dict[str, Any]:
        """Return how many patients there are of each outcome."""
        counts = np.bincount(self.strata(y), minlength=len(self.groups))
        names = [*self.groups, *(f"group {k}" for k in range(len(self.groups), len(counts)))]
        return {"groups": [[name, int(count)] for name, count in zip(names, counts, strict=True)]}

    def scorers(self) -> dict[str, Any]:
        """Return the scores of a comparison."""
        return dict(prrt_scorers(self.name))

    def inputs(self, model: Any, X: Any, y: np.ndarray) -> dict[str, Any]:
        """Return further arguments of `fit`: the times of the training patients, for models that take them."""
        return fit_times(model, X, y)

    def depends_on(self, model: Any, X: Any, y: np.ndarray) -> tuple[Any, ...]:
        """Return what a fold of a model depends on beside patients, split and parameters."""
        survival = survival_of(X, y)
        return () if survival is None or not fit_names(model) else (survival["time"], survival["event"])

    def evaluate(
        self, model: Any, train: tuple[Any, np.ndarray], test: tuple[Any, np.ndarray], scorers: Any, weight: Any
    ) -> tuple[dict[str, float], dict[str, Any]]:
        """Return scores of test patients, and columns of predictions by name."""
        X, y = test
        y_score, kind = self.target.predicted(model, X)
        model = in_ascending_order(model)
        weighted = {name: scorer for name, scorer in scorers.items() if weight is not None and takes_weight(scorer)}
        plain = {name: scorer for name, scorer in scorers.items() if name not in weighted}
        found: dict[str, Any] = {}
        if plain:  # scikit-learn's scorer of several metrics predicts once for all
            found |= check_scoring(model, scoring=plain)(model, X, y)
        if weighted and weight is not None:
            if get_config()["enable_metadata_routing"]:
                # A scorer of several metrics would then want each to have asked for weights beforehand.
                found |= {name: scorer(model, X, y, sample_weight=weight) for name, scorer in weighted.items()}
            else:
                found |= check_scoring(model, scoring=weighted)(model, X, y, sample_weight=weight)
        return found, {"y_score": np.asarray(y_score, dtype=float).tolist(), "kind": kind}

    def shown(self, y: np.ndarray) -> np.ndarray:
        """Return the column ``y_true`` of tables."""
        return y

    def patients(self, y: np.ndarray) -> dict[str, np.ndarray]:
        """Return columns of the table of patients."""
        return {"y_true": self.shown(y)}

    def counts_of(self, patients: pd.DataFrame) -> np.ndarray:
        """Return how many patients of a table have each outcome; all together where most values differ."""
        counts = patients["y_true"].value_counts().to_numpy()
        return counts if len(counts) <= len(patients) / 2 else np.array([len(patients)])

    def shares(self, patients: pd.DataFrame) -> dict[str, float]:
        """Return the shares of outcomes that a summary holds."""
        return {}

    def question(self, horizon: float, modalities: Sequence[str] = ()) -> str:
        """Return what a comparison of these modalities asks."""
        return f"Can {data_in_words(modalities)} before therapy predict the {self.title}?"

    def notes(self) -> str:
        """Return how the scores of its table are read."""
        return "The title of a score names its value of chance, where it is not 0.5."

    def outcomes(self, data: Mapping[str, Any], followup: np.ndarray | None = None) -> list[tuple[str, int]]:
        """Return the patients of each outcome."""
        return [(str(name), int(count)) for name, count in data.get("groups", ())]

    def described_cohort(self, X: Any, y: np.ndarray, followup: np.ndarray | None) -> pd.DataFrame | None:
        """Return None: the table is one by class."""
        return None

    def without_causes(self) -> list[str]:
        """Return what is to be said of deaths without progression where the table does not code them apart."""
        return []

    def with_causes(self, patients: pd.DataFrame, followup: np.ndarray) -> list[str]:
        """Return what models learn of patients who died without progression."""
        return []

    def tuned(self, model: Any, grid: Any) -> Any:
        """Return the model with its parameters chosen inside each training set.

        Raises
        ------
        ValueError
            If there is no score by which to choose.
        """
        raise ValueError(
            f"`tune` chooses parameters of classifiers and survival models; {type(model).__name__} learns the {self.title}. Pass "
            "a search of scikit-learn as the model, e.g. GridSearchCV(model, grid)."
        )

    def panels(self, comparison: Any, horizon: float | None, followup: np.ndarray | None) -> dict[str, Any]:
        """Return the figures with their captions."""
        from prrt_estimators.model_selection._figures import panels_of_scores  # it draws, and takes matplotlib

        return panels_of_scores(comparison)
