"""The former name of the room: what was documented there is still found, and nothing else."""

import importlib

import pytest

from prrt_estimators import modules


def documented(home):
    return [(home, name) for name in importlib.import_module(f"prrt_estimators.{home}").__all__]


@pytest.mark.parametrize(("home", "name"), [one for home in modules._HOMES for one in documented(home)])
def test_public_names_are_found_with_a_warning(home, name):
    with pytest.warns(FutureWarning, match=f"prrt_estimators.{home}"):
        found = getattr(modules, name)
    assert found is getattr(importlib.import_module(f"prrt_estimators.{home}"), name)


@pytest.mark.parametrize("name", ["_encoders", "Unheard"])
def test_other_names_are_absent(name):
    with pytest.raises(AttributeError, match=name):
        getattr(modules, name)
