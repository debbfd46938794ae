import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from prrt_estimators import Cohort
from prrt_estimators.inspection import OutOfFoldFeatures, class_separation
from prrt_estimators.plotting import EmbeddingDisplay


@pytest.fixture
def features():
    """51 held-out patients of three folds."""
    rng = np.random.default_rng(0)
    y = np.arange(51) % 2
    return OutOfFoldFeatures(
        features=rng.normal(size=(51, 4)) + y[:, None],
        fold=np.arange(51) // 17,
        p_long=rng.random(51),
        y=y,
        ids=np.array([f"P{k:02d}" for k in range(51)]),
    )


@pytest.fixture
def cohort():
    rng = np.random.default_rng(1)
    survival = np.empty(51, dtype=[("event", bool), ("time", float)])
    survival["time"], survival["event"] = rng.weibull(1.3, 51) * 22, np.arange(51) % 4 > 0
    lab = pd.DataFrame(
        {
            "chromogranin_a_ug_l": rng.lognormal(5, 1, 51),
            "histology_of_the_primary_tumour": rng.choice(["Small intestine", "Pancreas", "Unknown primary site"], 51),
        }
    )
    lab.iloc[5] = np.nan
    return Cohort({"lab": lab}, survival=survival)


@pytest.fixture
def places():
    return np.random.default_rng(2).normal(size=(51, 2))


def points(axes):
    parts = [part for ax in np.ravel(axes) for part in ax.collections if len(part.get_offsets())]
    return np.concatenate([part.get_offsets() for part in parts])


def test_one_panel_a_fold_with_all_its_patients(features, places, assert_fit_to_print):
    display = EmbeddingDisplay.from_result(features, coordinates=places)
    frame = display.frame()
    np.testing.assert_array_equal(frame[["umap_1", "umap_2"]], places)
    assert frame["colour"].tolist() == ["long PFS" if one else "short PFS" for one in features.y]
    assert frame["patient_id"].tolist() == features.ids.tolist()
    assert len(display.ax_) == 3
    for fold, ax in enumerate(display.ax_):
        own = {tuple(place) for place in places[features.fold == fold]}
        assert {tuple(place) for place in points(ax)} == own
    texts = assert_fit_to_print(display.figure_)
    assert {"Fold 1: 17 patients", "Fold 3: 17 patients", "long PFS", "short PFS"} <= set(texts)


def test_the_numbers_underneath_are_those_of_the_features(features, places, assert_fit_to_print):
    display = EmbeddingDisplay.from_result(features, coordinates=places, n_neighbors=3, random_state=4)
    expected = class_separation(features, n_neighbors=3, random_state=4)
    pd.testing.assert_frame_equal(display.separation, expected)
    told = next(text for text in assert_fit_to_print(display.figure_) if "Silhouette" in text).replace("\n", " ")
    value = dict(zip(expected["measure"], expected["value"], strict=True))
    assert f"Silhouette of the classes: {value['silhouette']:.2f}" in told
    assert f"Share of the 3 nearest of the same class: {value['neighbour_agreement']:.2f}" in told


@pytest.mark.parametrize(
    ("color_by", "label"),
    [
        ("probability", "Probability of long PFS, out of fold"),
        ("time", "PFS (months)"),
        ("chromogranin_a_ug_l", "Chromogranin A (µg/L)"),
        ("histology_of_the_primary_tumour", "Unknown primary site"),
    ],
)
def test_colours(features, cohort, places, color_by, label, assert_fit_to_print):
    display = EmbeddingDisplay.from_result(features, coordinates=places, color_by=color_by, X=cohort)
    assert label in assert_fit_to_print(display.figure_)
    assert len(points(display.ax_)) == 51
    frame = display.frame()
    if color_by == "probability":
        np.testing.assert_array_equal(frame["colour"], features.p_long)
    elif color_by == "time":
        np.testing.assert_array_equal(frame["colour"], cohort.survival["time"])
        np.testing.assert_array_equal(frame["hollow"], ~cohort.survival["event"])
    else:
        assert frame["colour"].dropna().tolist() == cohort["lab"][color_by].dropna().tolist()


def test_colours_of_one_s_own(features, places):
    values = np.arange(51.0)
    display = EmbeddingDisplay.from_result(features, coordinates=places, color_by=values)
    np.testing.assert_array_equal(display.frame()["colour"], values)


def test_one_fold_and_given_axes(features, places, assert_fit_to_print):
    rows = features.fold == 1
    one = OutOfFoldFeatures(*(getattr(features, name)[rows] for name in ("features", "fold", "p_long", "y", "ids")))
    display = EmbeddingDisplay.from_result(one, coordinates=places[rows])
    assert display.ax_.figure is display.figure_
    assert_fit_to_print(display.figure_)
    figure = Figure()
    axes = figure.subplots(1, 3)
    display = EmbeddingDisplay.from_result(features, coordinates=places).plot(axes)
    assert list(display.ax_) == list(axes)
    assert display.figure_ is figure
    with pytest.raises(ValueError, match="`ax` must be 3 axes, one a fold; got 1"):
        display.plot(axes[0])


def test_wrong_arguments_are_named(features, cohort, places):
    def draw(**options):
        return EmbeddingDisplay.from_result(features, **{"coordinates": places, **options})

    with pytest.raises(TypeError, match="`features` must come from out_of_fold_features"):
        EmbeddingDisplay.from_result(features.features)
    with pytest.raises(ValueError, match=r"`coordinates` must have shape \(51, 2\)"):
        draw(coordinates=places[:4])
    with pytest.raises(ValueError, match="`color_by`='time' needs `X`"):
        draw(color_by="time")
    with pytest.raises(ValueError, match=r"`color_by`='time' needs X\.survival"):
        draw(color_by="time", X=Cohort({"lab": cohort["lab"]}))
    with pytest.raises(ValueError, match="`X` must hold the same 51 patients; it holds 3"):
        draw(color_by="time", X=cohort[:3])
    with pytest.raises(
        ValueError, match="`color_by`='age' is not a column of X; its laboratory columns are chromogranin"
    ):
        draw(color_by="age", X=cohort)
    with pytest.raises(ValueError, match="`color_by` must have one value for each of 51 patients"):
        draw(color_by=[1, 2])
