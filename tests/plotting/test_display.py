import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from prrt_estimators._offscreen import offscreen
from prrt_estimators.plotting import CalibrationDisplay, KaplanMeierDisplay, RocDisplay

Y = [0, 1, 1, 0, 1, 0]
P = [0.2, 0.6, 0.7, 0.65, 0.3, 0.4]


def test_a_display_is_drawn_when_made_and_pyplot_shows_it():
    display = RocDisplay.from_predictions(Y, P)
    assert plt.get_fignums() == [display.figure_.number]
    assert len(display.ax_.lines) == 2  # the curve and chance


def test_a_notebook_shows_a_display_once():
    display = CalibrationDisplay.from_predictions(Y, P)
    png = display._repr_png_()
    assert png.startswith(b"\x89PNG")
    assert plt.get_fignums() == []  # or the notebook would show it again at the end of the cell
    assert display._repr_png_() == png


def test_a_display_that_was_never_drawn_is_shown_too(survival):
    made = KaplanMeierDisplay.from_survival(survival)
    plt.close("all")
    assert KaplanMeierDisplay(made.curves, horizon=12.0)._repr_png_().startswith(b"\x89PNG")
    assert plt.get_fignums() == []


def test_given_axes_are_drawn_on():
    figure = Figure()
    ax = figure.add_subplot()
    display = RocDisplay.from_predictions(Y, {"a": P, "b": np.flip(P)}, ax=ax)
    assert (display.ax_, display.figure_) == (ax, figure)
    assert len(ax.lines) == 3
    assert plt.get_fignums() == []


def test_figures_for_files_stay_out_of_pyplot():
    with offscreen():
        figure = RocDisplay.from_predictions(Y, P).figure_
        with pytest.raises(ZeroDivisionError), offscreen():
            1 / 0  # noqa: B018
        second = RocDisplay.from_predictions(Y, P).figure_
    assert plt.get_fignums() == []
    assert figure is not second
    RocDisplay.from_predictions(Y, P)
    assert len(plt.get_fignums()) == 1
