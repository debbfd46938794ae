import numpy as np
import pandas as pd
import pytest

from prrt_estimators.metrics import net_benefit


def test_worked_by_hand():
    # At 0.25 the odds are 1/3; treated are 0.6 (short), 0.4 and 0.9 (long) of five patients.
    curve = net_benefit([0, 0, 1, 1, 0], [0.1, 0.6, 0.4, 0.9, 0.2], [0.25])
    assert curve.loc[0, "model"] == pytest.approx(2 / 5 - 1 / 5 / 3)
    assert curve.loc[0, "treat_all"] == pytest.approx(2 / 5 - 3 / 5 / 3)
    assert curve.loc[0, "treat_none"] == 0


def test_laws():
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 2, 50), rng.random(50)
    thresholds = np.linspace(0, 0.95, 20)
    curve = net_benefit(y, p, thresholds)
    assert curve["threshold"].tolist() == thresholds.tolist()
    # Nobody is left untreated at 0, treating all is worth nothing where the threshold is the prevalence, and a
    # perfect model earns the prevalence everywhere.
    assert curve.loc[0, "model"] == curve.loc[0, "treat_all"] == pytest.approx(y.mean())
    assert net_benefit(y, p, y.mean()).loc[0, "treat_all"] == pytest.approx(0)
    assert net_benefit(y, y, thresholds[1:])["model"].to_numpy() == pytest.approx(y.mean())


def test_a_probability_at_the_threshold_is_treated():
    assert net_benefit([1, 0], [0.5, 0.4], [0.5]).loc[0, "model"] == pytest.approx(0.5)


@pytest.mark.parametrize("thresholds", [[0.5, 1.0], [-0.1], [np.nan], [[0.1, 0.2]]])
def test_thresholds_out_of_range_are_named(thresholds):
    with pytest.raises(ValueError, match="`thresholds` must be one-dimensional, each at least 0 and below 1"):
        net_benefit([0, 1], [0.1, 0.2], thresholds)


@pytest.mark.parametrize("prevalence", [0.2, 0.6])
def test_agrees_with_dcurves(prevalence):
    dcurves = pytest.importorskip("dcurves")
    rng = np.random.default_rng(3)
    y = (rng.random(90) < prevalence).astype(int)
    p = np.clip(prevalence + 0.3 * (y - prevalence) + 0.2 * rng.normal(size=90), 0.01, 0.99).round(3)
    thresholds = [0.05, 0.1, 0.2, 0.35, 0.5, 0.7]
    theirs = dcurves.dca(data=pd.DataFrame({"y": y, "p": p}), outcome="y", modelnames=["p"], thresholds=thresholds)
    theirs = theirs.pivot(index="threshold", columns="model", values="net_benefit")
    ours = net_benefit(y, p, thresholds)
    np.testing.assert_allclose(ours[["model", "treat_all", "treat_none"]], theirs[["p", "all", "none"]], atol=1e-12)
