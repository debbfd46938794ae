import numpy as np
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from prrt_estimators.metrics import find_score
from prrt_estimators.model_selection import bootstrap_interval

METRICS = {
    "auroc": roc_auc_score,
    "auprc": average_precision_score,
    "auprc_short": find_score("auprc_short").function,
    "brier": brier_score_loss,
}


@pytest.fixture(scope="module")
def cohort():
    """The paper's 42 short and 74 long, with scores that tie."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [42, 74])
    good = np.round(np.clip(0.4 + 0.15 * y + 0.2 * rng.normal(size=116), 0, 1), 2)
    return y, good


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("method", ["percentile", "BCa"])
def test_named_metrics_are_those_of_scikit_learn_drawn_one_by_one(cohort, name, method):
    y, p = cohort
    kwargs = {"n_boot": 40, "random_state": 1, "method": method}
    fast, slow = (bootstrap_interval(y, p, metric, **kwargs) for metric in (name, METRICS[name]))
    assert fast == pytest.approx(slow)
    assert fast.estimate == pytest.approx(METRICS[name](y, p))


def test_percentiles_agree_with_a_bootstrap_written_out(cohort):
    y, p = cohort
    rng = np.random.default_rng(7)
    drawn = []
    for _ in range(400):
        rows = np.concatenate([rng.choice(np.flatnonzero(y == label), (y == label).sum()) for label in (0, 1)])
        drawn.append(roc_auc_score(y[rows], p[rows]))
    interval = bootstrap_interval(y, p, n_boot=2000, random_state=3)
    assert (interval.low, interval.high) == pytest.approx(np.percentile(drawn, [2.5, 97.5]), abs=0.02)
    assert interval.standard_error == pytest.approx(np.std(drawn), rel=0.15)


def test_every_sample_keeps_the_classes(cohort):
    y, p = cohort
    seen = set()
    bootstrap_interval(y, p, lambda y, p: seen.add((len(y), int(y.sum()))) or float(p.mean()), n_boot=20)
    assert seen == {(116, 74)}


def test_width_is_about_that_expected_at_the_size_of_the_paper():
    # AUROC 0.72 at 42/74: the interval reaches from about 0.62 to 0.82.
    y = np.repeat([0, 1], [42, 74])
    quantiles = np.concatenate([(np.arange(n) + 0.5) / n for n in (42, 74)])
    score = np.log(quantiles / (1 - quantiles)) / 1.7 + 0.83 * y
    interval = bootstrap_interval(y, score, random_state=0)
    assert interval.estimate == pytest.approx(0.72, abs=0.01)
    assert (interval.low, interval.high) == pytest.approx((0.62, 0.82), abs=0.02)


def test_seed_decides(cohort):
    y, p = cohort
    assert bootstrap_interval(y, p, n_boot=50, random_state=5) == bootstrap_interval(y, p, n_boot=50, random_state=5)
    assert bootstrap_interval(y, p, n_boot=50, random_state=5) != bootstrap_interval(y, p, n_boot=50, random_state=6)


def test_standard_error_of_a_mean_is_the_textbook_one_also_over_several_batches():
    # 10,000 patients: a thousand samples fill one batch, so that 1100 need two.
    y = np.tile([0, 1], 5000)
    p = np.random.default_rng(0).random(10_000) ** 2
    loss = (p - y) ** 2
    expected = np.sqrt(sum(loss[y == label].var() / 5000 for label in (0, 1))) / 2
    interval = bootstrap_interval(y, p, "brier", n_boot=1100, random_state=0)
    assert interval.standard_error == pytest.approx(expected, rel=0.07)
    assert (interval.low, interval.high) == pytest.approx(loss.mean() + np.array([-1.96, 1.96]) * expected, rel=0.01)


@pytest.mark.parametrize(
    ("y", "p", "kwargs", "message"),
    [
        ([0, 0, 1], [0.1, 0.2, 0.3], {}, "at least two patients of each class, 0 and 1; got 2 and 1"),
        ([0, 0, 1, 2], [0.1, 0.2, 0.3, 0.4], {}, "got 2 and 1 among 4"),
        ([0, 0, 1, 1], [0.1, 0.2, 0.3], {}, "one value per patient"),
        ([0, 0, 1, 1], [0.1, 0.2, 0.3, np.nan], {}, "holds NaN"),
        ([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4], {"metric": "auc"}, "`metric` must be one of .*; got 'auc'"),
        ([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4], {"n_boot": 0}, "`n_boot` must be at least 1"),
        ([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4], {"confidence_level": 2}, "`confidence_level`"),
        ([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4], {"method": "bca"}, "`method` must be"),
    ],
)
def test_wrong_arguments_are_named(y, p, kwargs, message):
    with pytest.raises(ValueError, match=message):
        bootstrap_interval(y, p, **kwargs)
