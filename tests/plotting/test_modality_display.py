import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from prrt_estimators import FusionPFSClassifier
from prrt_estimators.plotting import ModalityShapleyDisplay


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(51, 3)) * [0.05, 0.02, 0.1]
    found = pd.DataFrame(values, columns=["pet", "ct", "lab"])
    found.insert(0, "patient_id", [f"P{k:02d}" for k in range(51)])
    found["base"] = 0.6
    return found.assign(prediction=0.6 + values.sum(axis=1))


def points(ax):
    return np.concatenate([part.get_offsets() for part in ax.collections if len(part.get_offsets())])


def test_the_cohort(table, assert_fit_to_print):
    y = np.arange(51) % 2
    display = ModalityShapleyDisplay.from_result(table, y=y)
    frame = display.frame()
    assert frame["modality"].tolist() == ["pet"] * 51 + ["ct"] * 51 + ["lab"] * 51
    np.testing.assert_array_equal(frame["value"], table[["pet", "ct", "lab"]].to_numpy().T.ravel())
    np.testing.assert_array_equal(frame["y"][:51], y)
    np.testing.assert_allclose(np.sort(points(display.ax_)[:, 0]), np.sort(frame["value"]))
    texts = assert_fit_to_print(display.figure_)
    assert {"PET", "CT", "Labs", "long PFS", "short PFS", "Shapley value (probability of long PFS)"} <= set(texts)


def test_summary_worked_by_hand():
    table = pd.DataFrame(
        {
            "patient_id": list("ab"),
            "pet": [0.3, -0.1],
            "ct": [0.0, 0.0],
            "lab": [0.1, 0.3],
            "base": 0.5,
            "prediction": 0.7,
        }
    )
    summary = ModalityShapleyDisplay.from_result(table, y=["short", "long"][::-1]).summary().set_index("modality")
    assert summary.index.tolist() == ["pet", "lab"]  # CT is not used
    # Words mean what they say: patient a is long PFS.
    assert summary.loc["pet"].tolist() == pytest.approx([0.2, 0.1, (0.3 + 0.1) / 2])
    summary = ModalityShapleyDisplay.from_result(table, y=[1, 0]).summary().set_index("modality")
    assert summary.loc["pet"].tolist() == pytest.approx([0.2, 0.1, (0.3 + 0.1) / 2])
    assert summary.loc["lab"].tolist() == pytest.approx([0.2, 0.2, (0.1 - 0.3) / 2])
    assert ModalityShapleyDisplay.from_result(table).summary()["toward_class"].isna().all()
    one_class = ModalityShapleyDisplay.from_result(table, y=[0, 0]).summary().set_index("modality")
    assert one_class.loc["lab", "toward_class"] == pytest.approx(-0.2)


def test_one_patient_goes_from_base_to_prediction(table, assert_fit_to_print):
    display = ModalityShapleyDisplay.from_result(table, y=np.arange(51) % 2)
    frame = display.frame(patient="P07")
    row = table.iloc[7]
    assert frame["start"].iloc[0] == row["base"]
    np.testing.assert_allclose(frame["start"][1:], frame["end"][:-1])
    assert frame["end"].iloc[-1] == pytest.approx(row["prediction"])
    assert frame["value"].abs().is_monotonic_decreasing
    assert frame.set_index("step")["value"].to_dict() == row[["pet", "ct", "lab"]].to_dict()
    display.plot(patient="P07")
    bars = sorted((patch.get_x(), patch.get_width()) for patch in display.ax_.patches)
    np.testing.assert_allclose(bars, sorted(zip(frame["start"], frame["value"], strict=True)))
    texts = assert_fit_to_print(display.figure_)
    assert {"Patient P07 (outcome: long PFS)", "Nothing known", "Prediction", "0.60"} <= set(texts)


def test_a_table_of_one_patient_is_drawn_as_one(table, assert_fit_to_print):
    display = ModalityShapleyDisplay.from_result(table.iloc[[4]])
    assert "Patient P04" in assert_fit_to_print(display.figure_)
    assert display.frame()["end"].iloc[-1] == pytest.approx(table.loc[4, "prediction"])


def test_the_scale_is_what_the_table_says(table, assert_fit_to_print):
    table.attrs["output"] = "logit"
    display = ModalityShapleyDisplay.from_result(table)
    assert "Shapley value (logit of long PFS)" in assert_fit_to_print(display.figure_)
    assert ModalityShapleyDisplay.from_result(table, output="probability").output == "probability"


def test_a_model_that_says_the_same_of_everybody(table, assert_fit_to_print):
    table[["pet", "ct", "lab"]] = 0.0
    display = ModalityShapleyDisplay.from_result(table)
    assert len(points(display.ax_)) == 3 * 51
    assert_fit_to_print(display.plot(patient="P01").figure_)


def test_of_an_estimator(tiny):
    rng = np.random.default_rng(0)
    X = {"pet": rng.random((8, 1, 8, 8, 8)), "lab": rng.random((8, 2))}
    y = np.arange(8) % 2
    fitted = ModalityShapleyDisplay.from_estimator(FusionPFSClassifier(**tiny).fit(X, y), X)
    assert len(fitted.frame()) == 16
    held_out = ModalityShapleyDisplay.from_estimator(FusionPFSClassifier(**tiny), X, y, cv=2)
    assert held_out.table["base"].nunique() == 2
    np.testing.assert_array_equal(held_out.frame()["y"], np.tile(y, 2))


def test_it_draws_on_given_axes(table):
    figure = Figure()
    ax = figure.subplots(1, 2)[1]
    display = ModalityShapleyDisplay.from_result(table).plot(ax, patient="P03")
    assert display.ax_ is ax
    assert display.figure_ is figure


def test_wrong_arguments_are_named(table):
    with pytest.raises(ValueError, match=r"`table` lacks the column\(s\) ct, base"):
        ModalityShapleyDisplay.from_result(table.drop(columns=["ct", "base"]))
    with pytest.raises(ValueError, match="`table` holds no patient"):
        ModalityShapleyDisplay.from_result(table.iloc[:0])
    with pytest.raises(ValueError, match="`y` must have one class for each of 51 patients"):
        ModalityShapleyDisplay.from_result(table, y=[0, 1])
    with pytest.raises(ValueError, match="`y` must hold short and long PFS; got 51"):
        ModalityShapleyDisplay.from_result(table, y=np.arange(51))
    with pytest.raises(ValueError, match="`output` must be 'probability' or 'logit'"):
        ModalityShapleyDisplay.from_result(table, output="odds")
    with pytest.raises(ValueError, match="`patient`='P99' is not among the 51 patients, such as P00"):
        ModalityShapleyDisplay.from_result(table).plot(patient="P99")
