import itertools

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

MODELS = [
    "lab",
    "pet",
    "ct",
    "pet_ct",
    "pet_lab",
    "ct_lab",
    "pet_ct_lab",
    "pet_ct_lab_pretrained",
    "baseline_lab",
    "baseline_pet",
]


@pytest.fixture(autouse=True)
def matplotlib_is_left_alone():
    """No display may change matplotlib's settings."""
    mpl.get_backend()  # decided when first asked for
    before = dict(mpl.rcParams.copy())
    yield
    assert dict(mpl.rcParams.copy()) == before
    plt.close("all")


@pytest.fixture(scope="session")
def predictions():
    """Ten models, two repeats of three folds, 36 patients."""
    rng = np.random.default_rng(0)
    y = np.tile([0, 1, 1], 12)
    rows = []
    for strength, model in enumerate(MODELS):
        for repeat in range(2):
            for patient, label in enumerate(y):
                p = 1 / (1 + np.exp(-(0.3 * strength * (label - 0.5) + rng.normal())))
                rows.append((model, repeat, patient // 3 % 3, f"P{patient:02d}", label, p))
    return pd.DataFrame(rows, columns=["model", "repeat", "fold", "patient_id", "y_true", "p_long"])


@pytest.fixture(scope="session")
def survival():
    rng = np.random.default_rng(1)
    values = np.empty(60, dtype=[("event", bool), ("time", float)])
    values["time"] = 22 * rng.weibull(1.26, 60)
    values["event"] = rng.random(60) < 0.8
    return values


@pytest.fixture(scope="session")
def assert_fit_to_print():
    """Check that no two texts of a figure overlap, and that none leaves the figure."""

    def check(figure):
        figure.canvas.draw()
        renderer = figure.canvas.get_renderer()
        # Ticks beyond the limits exist, but are not drawn.
        beyond = {
            id(label)
            for ax in figure.axes
            for axis in (ax.xaxis, ax.yaxis)
            for tick in axis.get_major_ticks()
            if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
            for label in (tick.label1, tick.label2)
        }
        texts = [
            text
            for text in figure.findobj(Text)
            if text.get_visible() and text.get_text().strip() and id(text) not in beyond
        ]
        boxes = [(t.get_text(), t.get_window_extent(renderer)) for t in texts]
        for (one, box), (other, its) in itertools.combinations(boxes, 2):
            overlap = min(box.x1, its.x1) - max(box.x0, its.x0), min(box.y1, its.y1) - max(box.y0, its.y0)
            assert min(overlap) <= 0.5, f"{one!r} overlaps {other!r}"
        for text, box in boxes:
            assert box.x0 >= -0.5, f"{text!r} leaves the figure"
            assert box.y0 >= -0.5, f"{text!r} leaves the figure"
            assert box.x1 <= figure.bbox.x1 + 0.5, f"{text!r} leaves the figure"
            assert box.y1 <= figure.bbox.y1 + 0.5, f"{text!r} leaves the figure"
        return [text for text, _ in boxes]

    return check
