import matplotlib.pyplot as plt
import numpy as np
import pytest

from prrt_estimators.report._shap_figures import draw_beeswarm, draw_scatter

shap = pytest.importorskip("shap")


@pytest.fixture
def explanation():
    """30 patients, four of them without chromogranin A, one without any SHAP value."""
    rng = np.random.default_rng(0)
    data = np.column_stack([rng.lognormal(5, 1, 30), rng.integers(0, 2, 30)])
    data[:4, 0] = np.nan
    values = rng.normal(size=(30, 2)) * [0.2, 0.1]
    values[7] = np.nan
    shown = np.where(np.isnan(data), None, data.astype(object))
    names = ["chromogranin_a_ug_l", "sex"]
    return shap.Explanation(
        values, np.full(30, 0.6), data, shown, feature_names=names, output_names="probability of long PFS"
    )


def points(figure):
    return [part.get_offsets() for ax in figure.axes[:1] for part in ax.collections if len(part.get_offsets())]


def test_the_beeswarm_holds_every_patient_with_values_and_names_for_print(explanation):
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    figure = draw_beeswarm(explanation).figure_
    drawn = np.sort(np.concatenate(points(figure))[:, 0])
    np.testing.assert_allclose(drawn, np.sort(explanation.values[~np.isnan(explanation.values)]))
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["Sex", "Chromogranin A"]
    assert figure.axes[0].get_xlabel() == "SHAP value (probability of long PFS)"
    assert plt.get_fignums() == []
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def test_the_scatter_states_the_unit_and_counts_the_gaps(explanation):
    figure = draw_scatter(explanation, "chromogranin_a_ug_l").figure_
    ax = figure.axes[0]
    assert ax.get_xlabel() == "Chromogranin A (µg/L)"
    assert ax.get_title(loc="left") == "4 of 30 patients not measured"
    rows = ~np.isnan(explanation.values[:, 0]) & ~np.isnan(explanation.data[:, 0])
    expected = np.column_stack([explanation.data[rows, 0], explanation.values[rows, 0]])
    drawn = {tuple(np.round(place, 6)) for place in np.concatenate(points(figure)).tolist()}
    assert {tuple(np.round(place, 6)) for place in expected.tolist()} <= drawn
    assert plt.get_fignums() == []
