"""The saved state of an estimator with a network: its weights, shapes and pretrained branches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from prrt_estimators.estimators._saved_state import SavedState, SavesStateMixin
from prrt_estimators.exceptions import SavedModelError
from prrt_estimators.pretrained._saved_branches import (
    describe_branch,
    embedded_weights,
    needs_own_file,
    restore_branch,
)

_WEIGHTS = "weights.safetensors"


class SavesNetworkMixin(SavesStateMixin):
    """Saved state of an estimator that trains a `FusionNet`."""

    # A fitted pretrainer has done its work: what it made lies in the branch.
    _saved_apart: ClassVar[tuple[str, ...]] = ("net_", "shapes_", "branches_", "pretrainers_")

    def _saved_state(self) -> SavedState:
        """Return everything learnt."""
        me: Any = self
        state = super()._saved_state()
        state.data["shapes"] = {name: list(shape) for name, shape in me.shapes_.items()}
        state.data["branches"] = {name: describe_branch(branch) for name, branch in me.branches_.items()}
        weights = me.net_.module_.state_dict()
        state.files[_WEIGHTS] = save_tensors({key: value.contiguous() for key, value in weights.items()})
        for name, branch in me.branches_.items():
            if needs_own_file(branch):
                state.files[f"branch_{name}.safetensors"] = embedded_weights(branch)
        return state

    def _restore(self, state: SavedState) -> None:
        """Build the network anew and fill in trained weights."""
        me: Any = self
        super()._restore(state)
        me.shapes_ = {name: tuple(shape) for name, shape in state.data["shapes"].items()}
        me.pretrainers_ = {}
        me.branches_ = {
            name: restore_branch(name, entry, state.files.get(f"branch_{name}.safetensors"), state.encoders, state.name)
            for name, entry in state.data["branches"].items()
        }
        tensors = load_tensors(state.files[_WEIGHTS])
        if not all(bool(torch.isfinite(value).all()) for value in tensors.values() if value.is_floating_point()):
            raise SavedModelError(f"{state.name} holds weights that are NaN or infinite; fit the model again.")
        if "head.0.weight" in tensors:
            me._head_width = len(tensors["head.0.weight"])
        table = len(me.preprocessor_.get_feature_names_out()) if "lab" in me.modalities_ else 0
        _check_network(me, table, tensors, state.name)
        me._fill(table, tensors)


def _check_network(estimator: Any, table: int, tensors: Mapping[str, torch.Tensor], name: str) -> None:
    """Refuse settings that ask for another network than the weights are of, before it takes any memory."""
    made = [(branch.encoder, branch.params) for branch in map(estimator._branch, estimator.shapes_)]
    made += [(branch.source.encoder, branch.source.encoder_params) for branch in estimator.branches_.values()]
    if any(callable(part) for encoder, params in made for part in (encoder, *(params or {}).values())):
        return  # an encoder of the caller's own need not work without memory
    with torch.device("meta"):
        module = estimator._build(estimator.shapes_, table, {}, blank=True)
    expected = {key: tuple(value.shape) for key, value in module.state_dict().items()}
    if expected != {key: tuple(value.shape) for key, value in tensors.items()}:
        raise SavedModelError(f"{name} holds weights of another network than it says; do not trust where it is from.")
