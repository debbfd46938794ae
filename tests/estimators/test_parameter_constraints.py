"""Each parameter of an estimator has a rule, and what is none of its values is refused by the name of the parameter."""

from __future__ import annotations

import inspect

import pytest
from sklearn.linear_model import LogisticRegression

from prrt_estimators import estimators, model_selection

#: Parameters that are checked elsewhere, since what they may be depends on the patients or on other parameters.
CHECKED_ELSEWHERE = {
    "BlockFusionPFSClassifier": {"estimator", "horizon", "lesions", "prior", "random_state", "tracer"},
    "BlockFusionPFSSurvival": {"lesions", "prior", "tracer"},
    "LateFusionPFSSurvival": {"estimators"},
}
NEEDED = {
    "LateFusionPFSSurvival": {"estimators": {"lab": estimators.CoxPFSSurvival()}},
    "HorizonClassifierSurvival": {"classifier": LogisticRegression()},
    "SurvivalHorizonClassifier": {"model": estimators.CoxPFSSurvival()},
}
CLASSES = [
    thing
    for room in (estimators, model_selection)
    for thing in (getattr(room, name) for name in room.__all__)
    if inspect.isclass(thing) and hasattr(thing, "_parameter_constraints")
]


class Nonsense:
    """What no parameter may be."""


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_parameter_has_a_rule(kind):
    parameters = set(inspect.signature(kind.__init__).parameters) - {"self"}
    assert parameters - set(kind._parameter_constraints) == CHECKED_ELSEWHERE.get(kind.__name__, set())


def refusal(model):
    """Return the message with which the parameters of a model are refused, None if they are taken."""
    try:
        model._validate_params()
    except (TypeError, ValueError) as error:
        return str(error)
    return None


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_nonsense_is_refused_by_name(kind):
    names = set(inspect.signature(kind.__init__).parameters) & set(kind._parameter_constraints)
    needed = NEEDED.get(kind.__name__, {})
    said = {name: refusal(kind(**{**needed, name: Nonsense()})) for name in names}
    # A label may be anything; callbacks are checked where the network is made (tests/estimators/test_callbacks.py).
    assert {name for name, text in said.items() if text is None} == names & {"pos_label", "callbacks"}
    assert [name for name, text in said.items() if text is not None and name not in text] == []


def test_all_estimators_are_tried():
    assert len(CLASSES) >= 20
