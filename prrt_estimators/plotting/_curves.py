"""ROC and precision-recall curves of several models on the same test patients."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import ArrayLike
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from prrt_estimators._classes import as_target, check_same_order, probability_of_long
from prrt_estimators.metrics._predictions import with_score_column
from prrt_estimators.plotting._display import AxesDisplay
from prrt_estimators.plotting._style import line_style, model_label


class _CurvesDisplay(AxesDisplay):
    """What ROC and precision-recall displays share: where the numbers come from, and how curves are drawn."""

    _square: ClassVar[bool] = True
    #: Columns of `frame` (across, up, area), labels of the axes, and the name of the area.
    _columns: ClassVar[tuple[str, str, str]]
    _labels: ClassVar[tuple[str, str]]
    _score_name: ClassVar[str]
    _drawstyle: ClassVar[str]

    def __init__(self, curves: Mapping[str, pd.DataFrame], *, prevalence: float, title: str = ""):
        self.curves = curves
        self.prevalence = prevalence
        self.title = title

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        p_long: ArrayLike | Mapping[str, ArrayLike],
        *,
        name: str = "model",
        title: str = "",
        ax: Axes | None = None,
    ) -> Self:
        """Curves of probabilities for the same patients.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            1 = long PFS, 0 = short PFS.
        p_long : array-like of shape (n,), or mapping of model name to such arrays
            Probability of long PFS.
        name : str, default="model"
            Name of the model, if `p_long` is one array.
        title : str, default=""
            Title of the axes.
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.

        Raises
        ------
        ValueError
            If `y_true` holds one class only, or lengths differ.
        """
        y = as_target(y_true)
        if set(np.unique(y).tolist()) != {0, 1}:
            raise ValueError(
                "`y_true` must hold both classes, 1 (long PFS) and 0 (short PFS); got "
                f"{sorted({str(value) for value in y.tolist()})[:5]}. Choose a test fold with both."
            )
        named = p_long if isinstance(p_long, Mapping) else {name: p_long}
        curves = {}
        for model, values in named.items():
            check_same_order(y_true, values, ("y_true", "p_long"))
            p = np.asarray(values, dtype=np.float64)
            if p.shape != y.shape:
                raise ValueError(
                    f"model {model}: `p_long` must have one value for each of {len(y)} patients; got shape {p.shape}."
                )
            across, up, area = cls._points(y, p)
            curves[str(model)] = pd.DataFrame(dict(zip(cls._columns, (across, up, area), strict=True)))
        return cls(curves, prevalence=float(y.mean()), title=title).plot(ax)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        name: str | None = None,
        title: str = "",
        ax: Axes | None = None,
    ) -> Self:
        """Curves of fitted classifiers on patients they were not fitted on.

        Parameters
        ----------
        estimator : fitted classifier, or mapping of model name to such
            With ``predict_proba``.
        X : Cohort or array-like of shape (n, ...)
            Test patients.
        y : array-like of shape (n,)
            1 = long PFS, 0 = short PFS.
        name : str, default=None
            Name of the model, if there is one; the name of its class by default.
        title : str, default=""
            Title of the axes.
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.
        """
        named = estimator if isinstance(estimator, Mapping) else {name or type(estimator).__name__: estimator}
        check_same_order(X, y, ("X", "y"))
        p_long = {key: probability_of_long(model, X) for key, model in named.items()}
        return cls.from_predictions(y, p_long, title=title, ax=ax)

    @classmethod
    def from_fold(
        cls,
        predictions: pd.DataFrame,
        *,
        repeat: int,
        fold: int,
        models: Iterable[str] | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Curves of the models of a comparison on one of its test folds.

        Parameters
        ----------
        predictions : DataFrame
            Columns ``model``, ``repeat``, ``fold``, ``patient_id``, ``y_true``, ``y_score``, as in
            ``predictions.csv``.
        repeat, fold : int
            The fold, e.g. from :func:`representative_fold`.
        models : iterable of str, default=None
            Models to draw, in this order; ``None`` draws all.
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.

        Raises
        ------
        ValueError
            If a model has no predictions on the fold, or models were tested on different patients.
        """
        predictions = with_score_column(predictions)
        here = predictions.loc[(predictions["repeat"] == repeat) & (predictions["fold"] == fold)]
        table = here.pivot(index="patient_id", columns="model", values="y_score")
        names = list(dict.fromkeys(here["model"])) if models is None else list(models)
        absent = [name for name in names if name not in table.columns]
        if absent or not names:
            raise ValueError(
                f"no predictions of {', '.join(map(str, absent)) or 'any model'} in repeat {repeat}, fold {fold}; "
                f"models there: {', '.join(map(str, table.columns)) or 'none'}."
            )
        if table[names].isna().any(axis=None):
            patient = table.index[table[names].isna().any(axis=1)][0]
            raise ValueError(
                f"patient {patient}: not predicted by every model of repeat {repeat}, fold {fold}. Curves are "
                "comparable on the same patients only; draw such models apart."
            )
        y = here.drop_duplicates("patient_id").set_index("patient_id")["y_true"].loc[table.index]
        return cls.from_predictions(
            y.to_numpy(),
            {name: table[name].to_numpy() for name in names},
            title=f"Repeat {repeat}, fold {fold}: {len(y)} test patients",
            ax=ax,
        )

    @staticmethod
    def _points(y: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        raise NotImplementedError

    def _chance(self) -> tuple[tuple[float, float], str]:
        """Return where the line of chance begins and ends, and what the legend says of it."""
        raise NotImplementedError

    def frame(self) -> pd.DataFrame:
        """Return the points drawn: ``model``, the two axes of the curve, and its area."""
        return pd.concat(self.curves, names=["model"]).reset_index(level="model").reset_index(drop=True)

    def _size(self) -> tuple[float, float]:
        return 7.2, 3.6

    def _draw(self, ax: Axes) -> None:
        across, up, area = self._columns
        ends, label = self._chance()
        ax.plot((0, 1), ends, color="0.6", linestyle="-", linewidth=1, label=label)
        for index, (name, curve) in enumerate(self.curves.items()):
            # A score stays whole where a long name makes the label break.
            label = f"{model_label(name)}, {self._score_name}\N{NO-BREAK SPACE}{curve[area].iloc[0]:.2f}"
            ax.plot(
                curve[across],
                curve[up],
                drawstyle=self._drawstyle,
                label=textwrap.fill(label, 44),
                **line_style(index),
            )
        ax.set(xlabel=self._labels[0], ylabel=self._labels[1], xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
        ax.set_title(self.title, loc="left")
        ax.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0), borderaxespad=0)


class RocDisplay(_CurvesDisplay):
    """ROC curves of several models on the same test patients; long PFS is the positive class.

    Make it with :meth:`from_predictions`, :meth:`from_estimator` or :meth:`from_fold`.

    Parameters
    ----------
    curves : mapping of str to DataFrame
        Points of each model: ``false_positive_rate``, ``true_positive_rate``, ``auroc``.
    prevalence : float
        Share of long PFS among the test patients.
    title : str, default=""
        Title of the axes.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the curves.
    figure_ : matplotlib Figure
        Figure that holds them.

    Examples
    --------
    >>> display = RocDisplay.from_predictions([0, 1, 1], {"lab": [0.2, 0.6, 0.7], "baseline_lab": [0.5, 0.4, 0.6]})
    >>> display.frame().groupby("model")["auroc"].first().to_dict()
    {'baseline_lab': 0.5, 'lab': 1.0}
    >>> figure = display.figure_
    """

    _columns = ("false_positive_rate", "true_positive_rate", "auroc")
    _labels = ("1 - specificity", "Sensitivity for long PFS")
    _score_name = "AUROC"
    _drawstyle = "default"

    @staticmethod
    def _points(y: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        false_positive, true_positive, _ = roc_curve(y, p)
        return false_positive, true_positive, float(roc_auc_score(y, p))

    def _chance(self) -> tuple[tuple[float, float], str]:
        return (0, 1), "Chance, AUROC 0.50"


class PrecisionRecallDisplay(_CurvesDisplay):
    """Precision-recall curves of several models on the same test patients; long PFS is the positive class.

    Make it with :meth:`from_predictions`, :meth:`from_estimator` or :meth:`from_fold`.

    Parameters
    ----------
    curves : mapping of str to DataFrame
        Points of each model: ``recall``, ``precision``, ``auprc``.
    prevalence : float
        Share of long PFS among the test patients: the precision of chance.
    title : str, default=""
        Title of the axes.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the curves.
    figure_ : matplotlib Figure
        Figure that holds them.

    Examples
    --------
    >>> display = PrecisionRecallDisplay.from_predictions([0, 1, 1], [0.2, 0.6, 0.7], name="lab")
    >>> display.frame().groupby("model")["auprc"].first().to_dict(), round(display.prevalence, 2)
    ({'lab': 1.0}, 0.67)
    >>> figure = display.figure_
    """

    _columns = ("recall", "precision", "auprc")
    _labels = ("Recall of long PFS", "Precision for long PFS")
    _score_name = "AUPRC"
    _drawstyle = "steps-post"

    @staticmethod
    def _points(y: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        precision, recall, _ = precision_recall_curve(y, p)
        return recall, precision, float(average_precision_score(y, p))

    def _chance(self) -> tuple[tuple[float, float], str]:
        return (self.prevalence,) * 2, f"Chance, AUPRC {self.prevalence:.2f} (prevalence)"
