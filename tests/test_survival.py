"""One form of times to progression; what cannot be told for certain is refused."""

import lifelines
import numpy as np
import pandas as pd
import pytest
from sksurv.nonparametric import kaplan_meier_estimator

from prrt_estimators._survival import as_survival, censoring_curve, kaplan_meier

FORMS = {
    "structured": lambda e, t: np.array(list(zip(e, t, strict=True)), dtype=[("event", bool), ("time", float)]),
    "other_order": lambda e, t: np.array(list(zip(t, e, strict=True)), dtype=[("time", float), ("event", int)]),
    "upper": lambda e, t: np.array(list(zip(e, t, strict=True)), dtype=[("Event", bool), ("Time", int)]),
    "frame": lambda e, t: pd.DataFrame({"time": t, "event": e}, index=list("cab")),
    "words": lambda e, t: pd.DataFrame({"time": t, "event": np.where(e, "ja", "nein")}),
    "codes": lambda e, t: {"event": np.asarray(e).astype(float), "time": t},
    "mapping": lambda e, t: {"event": e, "time": t},
    "pair": lambda e, t: (np.asarray(e), np.asarray(t)),
    "turned": lambda e, t: (list(t), list(e)),
    "rows": lambda e, t: list(zip(e, t, strict=True)),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_certain_form_is_read_alike(form):
    y = as_survival(FORMS[form]([True, False, True], [3.0, 0.0, 7.0]))
    assert y["event"].tolist() == [True, False, True]
    assert y["time"].tolist() == [3.0, 0.0, 7.0]


@pytest.mark.parametrize(
    ("y", "kind", "text"),
    [
        (np.array([0, 1, 1]), TypeError, "A class for each patient"),
        (np.array([3.0, 5.0, 7.0]), TypeError, "structured array"),
        (np.array([[1, 3.0], [0, 5.0]]), TypeError, "structured array"),
        (([1, 0], [3.0, 5.0]), TypeError, "not certain"),
        (([True, False], [True, False]), TypeError, "not certain"),
        ([(1, 3.0), (0, 5.0)], TypeError, "not certain"),
        ({"event": [1, 2], "time": [3.0, 5.0]}, ValueError, "row 1 is 2"),
        ({"event": [0, 1, 2], "time": [3.0, 5.0, 6.0]}, ValueError, "Recode"),
        ({"event": [1, np.nan], "time": [3.0, 5.0]}, ValueError, "event"),
        ({"event": ["dead", "alive"], "time": [3.0, 5.0]}, ValueError, "dead"),
        ({"event": [1, 0], "time": [3.0, -5.0]}, ValueError, "row 1 has -5"),
        ({"event": [1, 0], "time": [3.0, np.nan]}, ValueError, "row 1 has nan"),
        ({"event": [1, 0], "time": [np.inf, 3.0]}, ValueError, "row 0 has inf"),
        ({"event": [1, 0], "time": ["three", "5"]}, TypeError, "numbers of months"),
        ({"event": [1], "time": [3.0, 5.0]}, ValueError, "one event and one time"),
        ({"status": [1, 0], "time": [3.0, 5.0]}, ValueError, "it has status, time"),
        (None, ValueError, "requires y"),
    ],
)
def test_what_is_not_certain_is_refused(y, kind, text):
    with pytest.raises(kind, match=text):
        as_survival(y)


def test_the_number_of_patients_is_checked():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        as_survival({"event": [1, 0], "time": [3.0, 5.0]}, n=3)


@pytest.mark.parametrize("seed", range(6))
def test_curves_agree_with_lifelines_and_scikit_survival(seed):
    rng = np.random.default_rng(seed)
    y = as_survival((rng.random(40) < [0.2, 0.5, 0.8][seed % 3], np.ceil(rng.exponential(6, 40))))
    curve = kaplan_meier(y)
    fitted = lifelines.KaplanMeierFitter().fit(y["time"], y["event"])
    np.testing.assert_allclose(curve.at([0, 3, 7.5]), fitted.predict([0, 3, 7.5]), atol=1e-12)
    assert curve.quantile() == fitted.median_survival_time_
    moments, stays = kaplan_meier_estimator(y["event"], y["time"], reverse=True)
    np.testing.assert_allclose(censoring_curve(y).at(moments), stays, atol=1e-12)


def test_a_curve_by_hand():
    curve = kaplan_meier(as_survival(([True, True, False, True], [2.0, 2.0, 2.0, 8.0])))
    assert curve.at([1.9, 2.0, 8.0]).tolist() == [1.0, 0.5, 0.0]
    assert curve.before([2.0, 8.0]).tolist() == [1.0, 0.5]
    assert curve.restricted_mean(6.0) == 4.0
    assert kaplan_meier(as_survival(([False], [4.0]))).quantile() == float("inf")
