"""Tables of named blocks of columns, and what to do where a block is absent."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from prrt_estimators.cohort import Cohort
from prrt_estimators.estimators._directions import read_tracer
from prrt_estimators.estimators._learnable import as_learnable
from prrt_estimators.exceptions import MissingModalityError
from prrt_estimators.preprocessing import GlobalPETFeatures, LabPanels, TableBlock

#: Names of the blocks that are made from a cohort by default.
NAMES = SimpleNamespace(lesions="lesions", global_pet="global_pet", labs="labs")


def log1p_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return log(1 + x), NaN below -1: SUVs and volumes are skewed, and may be zero."""
    return table.where(table > -1).map(np.log1p)


def default_blocks(model: Any) -> dict[str, Any]:
    """Return the blocks of ``blocks="auto"``, with the parameters of a `BlockFusionPFSClassifier`."""
    from prrt_estimators.features import LesionFeatures

    blocks: dict[str, Any] = {NAMES.lesions: LesionFeatures(lesions=model.lesions, cache_dir=model.cache_dir)}
    if read_tracer(model.tracer) != "sstr":
        blocks[NAMES.global_pet] = make_pipeline(
            GlobalPETFeatures(cache_dir=model.cache_dir), FunctionTransformer(log1p_table)
        )
    blocks[NAMES.labs] = LabPanels()
    if isinstance(model.blocks, str):
        return blocks
    if not len(model.blocks) or not all(isinstance(name, str) for name in model.blocks):
        raise ValueError(f"`blocks` must name some of {', '.join(vars(NAMES).values())}; got {list(model.blocks)}.")
    return {name: one for name, one in blocks.items() if name in model.blocks}


def wanted_blocks(model: Any, cohort: Cohort) -> dict[str, Any]:
    """Return the blocks that a `BlockFusionPFSClassifier` makes of a cohort: its user's, or those that there are.

    Tables in ``cohort.blocks`` are blocks under their own names; a list of columns becomes a `TableBlock`.
    """
    if isinstance(model.blocks, Mapping):
        return {
            name: TableBlock(list(one)) if isinstance(one, (list, tuple)) else one for name, one in model.blocks.items()
        }
    made = default_blocks(model)
    tables = (
        cohort.blocks if isinstance(model.blocks, str) else [name for name in cohort.blocks if name in model.blocks]
    )
    return made | {name: TableBlock(name) for name in tables if name not in made}


def keep_in(transformer: Any, cache_dir: Any) -> None:
    """Set the folder in which a transformer keeps features of scans, where it keeps any."""
    names = [name for name in transformer.get_params() if name.rpartition("__")[2] == "cache_dir"]
    transformer.set_params(**dict.fromkeys(names, cache_dir))


def usable_blocks(
    blocks: Mapping[str, Any], cohort: Cohort
) -> tuple[dict[str, Any], dict[str, pd.DataFrame], dict[str, str]]:
    """Fit the transformers on a cohort.

    Returns
    -------
    fitted : dict of str to transformer
        Those that the cohort has something for.
    tables : dict of str to DataFrame
        What they give.
    left_out : dict of str to str
        The others, and why.
    """
    fitted, tables, left_out = {}, {}, {}
    for name, transformer in blocks.items():
        if "__" in str(name) or not isinstance(name, str):
            raise ValueError(f"names of blocks must be texts without '__'; got {name!r}.")
        one = clone(transformer)
        try:
            table = as_table(_fit(one, cohort), len(cohort))
        except (MissingModalityError, KeyError) as error:
            left_out[name] = _reason(name, error)
            continue
        if table.shape[1] == 0 or table.isna().all(axis=None):
            left_out[name] = "no patient has a value"
            continue
        fitted[name], tables[name] = one, table
    return fitted, tables, left_out


def _fit(transformer: Any, cohort: Cohort) -> Any:
    return transformer.fit(cohort).transform(cohort)


def _reason(name: str, error: Exception) -> str:
    if name == NAMES.lesions:
        return "no PET or CT"
    return {NAMES.global_pet: "no PET", NAMES.labs: "no laboratory table"}.get(name, str(error))


def block_table(transformer: Any, cohort: Cohort, columns: list[Any]) -> pd.DataFrame:
    """Return a block of new patients; all missing where the cohort lacks the modality."""
    try:
        table = as_table(transformer.transform(cohort), len(cohort))
    except (MissingModalityError, KeyError):
        return pd.DataFrame(np.nan, index=range(len(cohort)), columns=columns)
    return table.set_axis(columns, axis=1)


def as_table(values: Any, n: int) -> pd.DataFrame:
    """Return what a transformer gives as numbers with names, rows counted from 0."""
    table = values if isinstance(values, pd.DataFrame) else pd.DataFrame(np.asarray(values))
    if len(table) != n:
        raise ValueError(
            f"a block's transformer gave {len(table)} rows for {n} patients; it must give one per patient."
        )
    table = table.set_axis([str(name) for name in table.columns], axis=1).reset_index(drop=True)
    return as_learnable(table.astype(np.float64))


def joined(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return all blocks side by side, columns named ``block__column``."""
    return as_learnable(pd.concat([table.add_prefix(f"{name}__") for name, table in tables.items()], axis=1))


def absent(table: pd.DataFrame) -> np.ndarray:
    """Return which patients have no value at all in a block."""
    return table.isna().all(axis=1).to_numpy()
