import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.datasets import make_classification
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from prrt_estimators.plotting import PrecisionRecallDisplay, RocDisplay

DISPLAYS = [RocDisplay, PrecisionRecallDisplay]


def test_roc_worked_by_hand():
    # From the top: long, short, long -> up half, right, up half; three of four half steps below: area 0.5.
    frame = RocDisplay.from_predictions([1, 0, 1], [0.9, 0.6, 0.3], name="lab").frame()
    assert frame["false_positive_rate"].tolist() == [0, 0, 1, 1]
    assert frame["true_positive_rate"].tolist() == [0, 0.5, 0.5, 1]
    assert frame["auroc"].tolist() == [0.5] * 4


def test_frames_agree_with_scikit_learn(predictions):
    here = predictions.query("repeat == 1 and fold == 2")
    roc = RocDisplay.from_fold(predictions, repeat=1, fold=2).frame()
    recall = PrecisionRecallDisplay.from_fold(predictions, repeat=1, fold=2).frame()
    assert roc["model"].unique().tolist() == recall["model"].unique().tolist() == here["model"].unique().tolist()
    for model, own in here.groupby("model"):
        y, p = own["y_true"], own["p_long"]
        curve = roc[roc["model"] == model]
        fpr, tpr, _ = roc_curve(y, p)
        assert curve["false_positive_rate"].tolist() == fpr.tolist()
        assert curve["true_positive_rate"].tolist() == tpr.tolist()
        assert curve["auroc"].iloc[0] == pytest.approx(roc_auc_score(y, p))
        curve = recall[recall["model"] == model]
        precision, found, _ = precision_recall_curve(y, p)
        assert curve["precision"].tolist() == precision.tolist()
        assert curve["recall"].tolist() == found.tolist()
        assert curve["auprc"].iloc[0] == pytest.approx(average_precision_score(y, p))


@pytest.mark.parametrize("display", DISPLAYS)
def test_what_is_drawn_is_what_the_frame_holds(display, predictions):
    drawn = display.from_fold(predictions, repeat=0, fold=0, models=["pet", "lab"])
    chance, *curves = drawn.ax_.lines
    for name, line in zip(["pet", "lab"], curves, strict=True):
        frame = drawn.frame()
        numbers = frame[frame["model"] == name].select_dtypes("number").to_numpy()
        assert np.asarray(line.get_xydata()).tolist() == numbers[:, :2].tolist()
    assert chance.get_ydata()[-1] == (1 if display is RocDisplay else pytest.approx(2 / 3))


@pytest.mark.parametrize("display", DISPLAYS)
def test_ten_models_fit_and_differ(display, predictions, assert_fit_to_print):
    predictions = predictions.replace({"pet_lab": "a model of my own whose name says everything about it"})
    drawn = display.from_fold(predictions, repeat=0, fold=1)
    texts = assert_fit_to_print(drawn.figure_)
    assert "Repeat 0, fold 1: 12 test patients" in texts
    assert sum(f", {display._score_name}" in text for text in texts) == 11
    looks = {(line.get_color(), line.get_linestyle()) for line in drawn.ax_.lines}
    assert len(looks) == 11


@pytest.mark.parametrize("display", DISPLAYS)
def test_from_estimator_is_from_predictions_of_its_probabilities(display):
    X, y = make_classification(40, random_state=0)
    models = {"one": LogisticRegression().fit(X, y), "other": DummyClassifier().fit(X, y)}
    found = display.from_estimator(models, X, y).frame()
    expected = display.from_predictions(y, {key: model.predict_proba(X)[:, 1] for key, model in models.items()})
    assert found.equals(expected.frame())
    assert display.from_estimator(models["one"], X, y).frame()["model"].iloc[0] == "LogisticRegression"
    assert display.from_estimator(models["one"], X, y, name="mine").frame()["model"].iloc[0] == "mine"


@pytest.mark.parametrize("display", DISPLAYS)
def test_it_draws_on_given_axes(display):
    figure = Figure()
    ax = figure.add_subplot()
    drawn = display.from_predictions([0, 1], [0.2, 0.7]).plot(ax=ax)
    assert drawn.ax_ is ax
    assert drawn.figure_ is figure


@pytest.mark.parametrize("display", DISPLAYS)
def test_wrong_arguments_are_named(display, predictions):
    with pytest.raises(ValueError, match="`y_true` must hold both classes"):
        display.from_predictions([1, 1], [0.2, 0.7])
    with pytest.raises(ValueError, match="model pet: `p_long` must have one value for each of 2 patients"):
        display.from_predictions([0, 1], {"pet": [0.2]})
    with pytest.raises(ValueError, match="no predictions of mine in repeat 0, fold 1; models there: baseline_lab"):
        display.from_fold(predictions, repeat=0, fold=1, models=["mine"])
    with pytest.raises(ValueError, match="no predictions of any model in repeat 9"):
        display.from_fold(predictions, repeat=9, fold=1)
    lost = predictions.query("not (model == 'ct' and repeat == 0 and patient_id == 'P03')")
    with pytest.raises(ValueError, match="patient P03: not predicted by every model of repeat 0, fold 1"):
        display.from_fold(lost, repeat=0, fold=1)
