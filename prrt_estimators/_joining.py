"""Parts of several cohorts, one below the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from prrt_estimators._volumes import Volumes


def joined_volumes(parts: Sequence[Volumes | None], sizes: Sequence[int], name: str) -> Any:
    """Return the scans of several cohorts; patients of one without this modality have none.

    Parameters
    ----------
    parts : sequence of Volumes or None
    sizes : sequence of int
        Patients of each cohort.
    name : str
        For messages.

    Raises
    ------
    TypeError
        If some are files and some arrays.
    ValueError
        If arrays have several grids.
    """
    known = [part for part in parts if part is not None]
    if all(part.array is None for part in known):
        paths: list[Any] = []
        for part, size in zip(parts, sizes, strict=True):
            paths += [None] * size if part is None else list(part.paths)  # type: ignore[arg-type]
        return paths
    if any(part.array is None for part in known):
        raise TypeError(
            f"{name!r} is files in one cohort and an array in another. Write the arrays to files, or load the files."
        )
    shapes = {part.array.shape[1:] for part in known}  # type: ignore[union-attr]
    if len(shapes) > 1:
        raise ValueError(
            f"the arrays of {name!r} have several grids: {', '.join(map(str, sorted(shapes)))}. Resample them to one."
        )
    (shape,) = shapes
    whole = np.concatenate(
        [np.full((size, *shape), np.nan, np.float32) if part is None else part.array for part, size in zip(parts, sizes, strict=True)]
    )  # fmt: skip
    if any(part is None or part.spacing is None for part in parts):
        return Volumes(whole)
    return Volumes(whole, spacing=np.concatenate([part.spacing for part in known]))


def joined_tables(parts: Sequence[pd.DataFrame | None], sizes: Sequence[int]) -> pd.DataFrame:
    """Return the tables of several cohorts; columns that one lacks are empty there."""
    tables = [
        pd.DataFrame(index=range(size)) if part is None else part for part, size in zip(parts, sizes, strict=True)
    ]
    return pd.concat(tables, ignore_index=True)


def joined_ids(parts: Sequence[np.ndarray]) -> list[str] | None:
    """Return the ids of several cohorts; None if all of them only count their patients.

    Raises
    ------
    ValueError
        If an id is in two of them.
    """
    if all(ids.tolist() == [str(k) for k in range(len(ids))] for ids in parts):
        return None
    whole = [one for ids in parts for one in ids]
    twice = sorted({one for one in whole if whole.count(one) > 1})
    if twice:
        raise ValueError(f"{len(twice)} ids are in two of the cohorts, such as {twice[0]!r}. Give each patient once.")
    return whole
