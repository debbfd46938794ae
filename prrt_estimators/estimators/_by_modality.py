"""Parameters that are one value, or a mapping with a value for each imaging modality."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from sklearn.utils._param_validation import HasMethods, StrOptions, validate_parameter_constraints

from prrt_estimators._modalities import IMAGING, MODALITIES
from prrt_estimators.preprocessing._windows import check_window
from prrt_estimators.pretrained._branches import FINETUNE, BranchSettings

#: What ``encoder="auto"`` is: without pretrained weights, and with weights that do not tell of what network they are.
FROM_SCRATCH, WITHOUT_NOTE = "narrow_resnet10", "compact"

#: What one value of each parameter may be.
_ONE_VALUE: dict[str, list[Any]] = {
    "encoder": [str, callable],
    "encoder_params": [Mapping, None],
    "window": [StrOptions({"auto"}), "array-like", None],
    "weights": [str, os.PathLike, HasMethods(["fit", "get_params"]), None],
    "finetune": [StrOptions(set(FINETUNE))],
}
#: What holds for a modality that a mapping does not name.
_UNNAMED: dict[str, Any] = {
    "encoder": "auto",
    "encoder_params": None,
    "window": "auto",
    "weights": None,
    "finetune": "frozen",
}

#: Of the signatures of the estimators that take them.
BRANCH_CONSTRAINTS: dict[str, list[Any]] = {name: [*kinds, Mapping] for name, kinds in _ONE_VALUE.items()}


def branch_settings(params: Mapping[str, Any], modality: str) -> BranchSettings:
    """Return what the parameters of an estimator say of one modality.

    Raises
    ------
    TypeError, ValueError
        If the window is none.
    """
    said = {name: _of(params[name], name, modality) for name in _ONE_VALUE}
    encoder = said["encoder"]
    if isinstance(encoder, str) and encoder == "auto":
        encoder = FROM_SCRATCH if said["weights"] is None else WITHOUT_NOTE
    window = said["window"]
    if isinstance(window, str) and window == "auto":
        window = MODALITIES[modality].window
    return BranchSettings(
        encoder=encoder,
        params=said["encoder_params"],
        window=check_window(window, _place(params, "window", modality)),
        weights=said["weights"],
        finetune=said["finetune"],
        parameter=_place(params, "weights", modality),
    )


def check_by_modality(params: Mapping[str, Any], estimator: str) -> None:
    """Check the keys of mappings by modality, and the kind of each value.

    Raises
    ------
    ValueError
        If a key is not an imaging modality, or a value is of another kind than the parameter takes.
    """
    for name, kinds in _ONE_VALUE.items():
        value = params[name]
        if not _is_mapping(value, name):
            continue
        unknown = [key for key in value if key not in IMAGING]
        if unknown:
            raise ValueError(
                f"`{name}` of {estimator} must be one value or a mapping with the keys {', '.join(IMAGING)}; "
                f"got the keys {', '.join(map(repr, value))}."
            )
        places = {f"{name}[{key!r}]": item for key, item in value.items()}
        validate_parameter_constraints(dict.fromkeys(places, kinds), places, caller_name=estimator)


def _place(params: Mapping[str, Any], name: str, modality: str) -> str:
    """Return where a value stands, as an error names it."""
    return f"{name}[{modality!r}]" if _is_mapping(params[name], name) else name


def _of(value: Any, name: str, modality: str) -> Any:
    return value.get(modality, _UNNAMED[name]) if _is_mapping(value, name) else value


def _is_mapping(value: Any, name: str) -> bool:
    if not isinstance(value, Mapping):
        return False
    # Arguments of an encoder are a mapping themselves.
    return name != "encoder_params" or (bool(value) and any(key in IMAGING for key in value))


class ByModalityMixin:
    """Reaches into mappings by modality: ``weights__ct`` is what ``weights`` maps to ct, ``weights__ct__lr`` its parameter."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters; `deep` adds those of estimators inside mappings by modality.

        Parameters
        ----------
        deep : bool, default=True

        Returns
        -------
        dict of str to object
        """
        params = super().get_params(deep=deep)  # type: ignore[misc]
        for name, key, item in list(_entries(params)) if deep else ():
            params[f"{name}__{key}"] = item
            if hasattr(item, "get_params") and not isinstance(item, type):
                params |= {f"{name}__{key}__{inner}": value for inner, value in item.get_params().items()}
        return params

    def set_params(self, **params: Any) -> Any:
        """Set parameters, also those inside mappings by modality.

        Parameters
        ----------
        **params : object

        Returns
        -------
        self
        """
        super().set_params(**{key: value for key, value in params.items() if "__" not in key})  # type: ignore[misc]
        rest = {}
        for key in sorted(one for one in params if "__" in one):  # weights__ct before weights__ct__lr
            name, modality, *inner = key.split("__", 2)
            mapping = getattr(self, name, None)
            if name not in _ONE_VALUE or not _is_mapping(mapping, name):
                rest[key] = params[key]
            elif inner:
                mapping[modality].set_params(**{inner[0]: params[key]})  # type: ignore[index]
            else:
                # A new mapping: the one that was passed stays as it is.
                setattr(self, name, {**mapping, modality: params[key]})  # type: ignore[dict-item]
        super().set_params(**rest)  # type: ignore[misc]
        return self


def _entries(params: Mapping[str, Any]) -> Iterable[tuple[str, str, Any]]:
    for name in _ONE_VALUE:
        if _is_mapping(params.get(name), name):
            yield from ((name, str(key), item) for key, item in params[name].items())
