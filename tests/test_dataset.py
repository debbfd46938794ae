"""What results show of themselves in a notebook or a log: names and shapes, never every value."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil

import numpy as np
import pytest

import prrt_estimators
from prrt_estimators.contours import Mask, RTStructureSet
from prrt_estimators.contours._objects import ObjectInfo
from prrt_estimators.contours._rtstruct import Contour, Roi
from prrt_estimators.evaluation import PermutationTest
from prrt_estimators.inspection import OutOfFoldFeatures, PermutationImportance, SaliencyMaps

#: Letters that an output may have.
MOST = 3000


def public_classes():
    """Return every public class by name, estimators and exceptions left out."""
    rooms = [prrt_estimators] + [
        importlib.import_module(f"prrt_estimators.{one.name}")
        for one in pkgutil.iter_modules(prrt_estimators.__path__)
        if not one.name.startswith("_")
    ]
    things = {name: getattr(room, name) for room in rooms for name in getattr(room, "__all__", ())}
    return {
        name: thing
        for name, thing in things.items()
        if inspect.isclass(thing) and not issubclass(thing, BaseException) and not hasattr(thing, "get_params")
    }


CLASSES = public_classes()


@pytest.mark.parametrize("name", [name for name in CLASSES if name.endswith("Display")])
def test_displays_show_their_figure(name):
    assert hasattr(CLASSES[name], "_repr_png_")


@pytest.mark.parametrize("name", [name for name in CLASSES if dataclasses.is_dataclass(CLASSES[name])])
def test_no_result_prints_every_value_of_an_array(name):
    kind = CLASSES[name]
    large = [
        one.name
        for one in dataclasses.fields(kind)
        if one.repr and str(one.type).startswith(("np.ndarray", "pd.DataFrame"))
    ]
    generated = hasattr(kind.__repr__, "__wrapped__")  # by dataclass, of every field
    assert not (large and generated), f"{name} prints {', '.join(large)}; derive it from ShortRepr with repr=False"


INFO = ObjectInfo(**{one.name: "" for one in dataclasses.fields(ObjectInfo)})
MANY = np.arange(900.0)  # which numpy prints in full
RESULTS = {
    "RTStructureSet(info: ObjectInfo, rois: tuple of 50)": RTStructureSet(INFO, (Roi("GTV", 1, "GTV", (Contour("CLOSED_PLANAR", np.ones((300, 3))),) * 80),) * 50),
    "Roi(name: 'GTV', number: 1, kind: 'GTV', contours: tuple of 80)": Roi("GTV", 1, "GTV", (Contour("POINT", None),) * 80),
    "Contour(kind: 'POINT', points: ndarray of shape (300, 3))": Contour("POINT", np.ones((300, 3))),
    "PermutationTest(score=0.700, 900 permutations, pvalue=0.05)": PermutationTest(0.7, MANY, 0.05),
    "SaliencyMaps(pet of 2 patients, method='gradient', target='logit')": SaliencyMaps(
        {"pet": np.ones((2, 1, 4, 4, 4))}, volumes={}, affines={}, ids=["A", "B"], probability=[0.5, 0.5], method="gradient", target="logit"
    ),
    "OutOfFoldFeatures(features: ndarray of shape (900, 1), fold: ndarray of shape (900,), p_long: ndarray of shape (900,), y: ndarray of shape "
    "(900,), ids: ndarray of shape (900,))": OutOfFoldFeatures(MANY[:, None], MANY, MANY, MANY, MANY.astype(str)),
}  # fmt: skip


@pytest.mark.parametrize("text", RESULTS)
def test_results_in_a_line(text):
    assert repr(RESULTS[text]) == text


def test_a_mask_names_its_grid():
    text = repr(Mask(np.ones((9, 9, 9), np.uint8), np.eye(4)))
    assert text.startswith("Mask(labels: ndarray of shape (9, 9, 9), affine: ndarray of shape (4, 4)")


@pytest.mark.parametrize("n_groups", [3, 90])
def test_a_notebook_shows_importance_as_a_table(n_groups):
    groups = {f"value_{k}": tuple(f"column {j} of group {k}" for j in range(40)) for k in range(n_groups)}
    drops = np.random.default_rng(0).random((n_groups, 5, 4))
    importance = PermutationImportance(drops, groups, np.full(5, 0.7), "roc_auc", 80.0, 20.0)
    page = importance._repr_html_()
    assert page.count("<tr") == 1 + min(n_groups, 20)
    best = importance.frame().loc[0]
    assert f"<td>{best['group']}</td>" in page
    assert f"<td>{best['importance']:.3f}</td>" in page
    assert ("the first 20 of 90 groups" in page) == (n_groups == 90)
    assert len(page) < 4 * MOST
    assert len(repr(importance)) < 500
