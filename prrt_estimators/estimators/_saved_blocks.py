"""The saved state of a model of blocks: the models inside it and what its transformers learnt, each as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, ClassVar

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from prrt_estimators._modalities import CT, PET
from prrt_estimators.estimators._blocks import NAMES, default_blocks
from prrt_estimators.estimators._cox import CoxPFSClassifier
from prrt_estimators.estimators._late_fusion import LateFusion
from prrt_estimators.estimators._saved_state import SavedState, SavesStateMixin, restore_state, state_of
from prrt_estimators.estimators._score_link import ScoreLink
from prrt_estimators.exceptions import SavedModelError
from prrt_estimators.preprocessing import TableBlock

#: What a late fusion learns beside its models.
_LATE = ("reference", "weights", "learnt_from", "prevalence", "slope", "intercept", "centre", "spread")
_SCANS = {NAMES.lesions: (PET.name, CT.name), NAMES.global_pet: (PET.name,)}


class SavesBlocksMixin(SavesStateMixin):
    """Saved state of a `BlockFusionPFSClassifier`.

    Transformers are made anew from the parameters, so that no folder of this machine enters a file; what they learnt is
    filled in.
    """

    _saved_apart: ClassVar[tuple[str, ...]] = ("blocks_", "joint_", "own_", "late_", "link_")

    @property
    def modalities_(self) -> tuple[str, ...]:
        """The modalities that the blocks look at."""
        check_is_fitted(self, "blocks_")
        return self._reads

    @property
    def _reads(self) -> tuple[str, ...]:
        me: Any = self
        if isinstance(me.blocks, Mapping):  # a transformer of the caller's own may look at anything
            return tuple(getattr(me, "_trained_on", ()))
        read = {scan for name in me.blocks_ for scan in _SCANS.get(name, ())}
        if NAMES.labs in me.blocks_:
            read.add("lab")
        return tuple(name for name in (PET.name, CT.name, "lab") if name in read)

    @property
    def _table_columns(self) -> list[str] | None:
        """The laboratory columns that the block of laboratory values was fitted on."""
        labs = self.blocks_.get(NAMES.labs)  # type: ignore[attr-defined]
        return None if labs is None else [str(name) for name in labs.feature_names_in_]

    def _saved_state(self) -> SavedState:
        """Return everything learnt.

        Raises
        ------
        TypeError
            If the blocks or their models are of the caller's own.
        """
        me: Any = self
        if isinstance(me.blocks, Mapping):
            raise TypeError(
                "`blocks` holds transformers of your own, which cannot be saved as data. joblib writes such a model for "
                "your own use."
            )
        for name, model in me.own_.items():
            if type(model) is not CoxPFSClassifier:
                raise TypeError(
                    f"`estimator` scores the block {name!r} with a {type(model).__name__}, which cannot be saved as "
                    "data. joblib writes such a model for your own use."
                )
        state = super()._saved_state()
        inner = {f"own.{name}": model._saved_state() for name, model in me.own_.items()}
        if me.fusion == "joint":
            inner["joint"] = me.joint_._saved_state()
            state.data["link"] = asdict(me.link_)
        else:
            late = SavedState(data={"fitted": {}})
            late.add({name: getattr(me.late_, name) for name in _LATE})
            inner["late"] = late
        for name, block in me.blocks_.items():
            # Steps of a pipeline learn nothing here: global numbers of a PET are taken as they are.
            inner[f"block.{name}"] = SavedState({"fitted": {}}) if isinstance(block, Pipeline) else state_of(block)
        state.data["blocks"] = list(me.blocks_)
        state.data["tables"] = [name for name, block in me.blocks_.items() if isinstance(block, TableBlock)]
        state.data["inner"] = {name: one.data for name, one in inner.items()}
        state.data["finder"] = _finder() if NAMES.lesions in me.blocks_ else None
        for name, one in inner.items():
            state.objects |= {f"{name}.{attribute}": value for attribute, value in one.objects.items()}
        return state

    def _restore(self, state: SavedState) -> None:
        """Make blocks and models anew and fill in what they learnt."""
        me: Any = self
        super()._restore(replace(state, objects={name: one for name, one in state.objects.items() if "." not in name}))
        made = default_blocks(me) | {name: TableBlock(name) for name in state.data.get("tables", [])}
        names = state.data["blocks"]
        if not set(names) <= set(made):
            raise SavedModelError(f"{state.name} holds blocks that its settings do not make: {', '.join(names)}.")
        if state.data["finder"] is not None and state.data["finder"] != _finder():
            raise SavedModelError(
                f"{state.name} was made with another finder of lesions than this version has; fit the model again."
            )
        me.blocks_ = {name: made[name] for name in names}
        for name, block in me.blocks_.items():
            restore_state(block, _inner(state, f"block.{name}"))
        me.own_ = {name: self._inner_model(state, f"own.{name}") for name in names}
        if me.fusion == "joint":
            me.joint_ = self._inner_model(state, "joint")
            me.link_ = ScoreLink(str(state.data["link"]["kind"]), float(state.data["link"]["level"]))
        else:
            me.late_ = LateFusion(me.own_, me.cv, me.random_state)
            vars(me.late_).update({name: _inner(state, "late").learnt()[name] for name in _LATE})
            me.own_ = me.late_.models

    def _inner_model(self, state: SavedState, name: str) -> CoxPFSClassifier:
        model: CoxPFSClassifier = self._model()  # type: ignore[attr-defined]
        model._restore(_inner(state, name))
        return model


def _inner(state: SavedState, name: str) -> SavedState:
    """Return the state of one model or transformer inside."""
    start = f"{name}."
    objects = {key.removeprefix(start): one for key, one in state.objects.items() if key.startswith(start)}
    return replace(state, data=state.data["inner"][name], objects=objects)


def _finder() -> str:
    """Return the digest on which the numbers of lesions depend."""
    from prrt_estimators.features._weights import manifest_digest

    return manifest_digest()
