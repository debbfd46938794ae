"""Maps of PET and CT for an explanation: out of fold, on the patients' own grids, with what speaks against them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from prrt_estimators.cohort import Cohort
from prrt_estimators.exceptions import ExplanationWarning
from prrt_estimators.inspection import (
    SaliencyMaps,
    attribution_in_regions,
    saliency,
    saliency_to_nifti,
    summarise_regions,
    weight_randomisation,
)
from prrt_estimators.plotting import SaliencyDisplay, model_label
from prrt_estimators.report._explained import ExplanationFolder, Section
from prrt_estimators.report._viewer import write_viewer


def maps_of_folds(
    model: Any,
    X: Cohort,
    y: np.ndarray,
    splits: Sequence[tuple[np.ndarray, np.ndarray]],
    *,
    method: str,
    auroc_interval: Any,
    seed: int,
) -> tuple[SaliencyMaps, Any]:
    """Return the map of every patient by a model trained without them, and the last fold's model."""
    parts, rows, fitted = [], [], model
    for train, test in splits:
        fitted = clone(model).fit(X[train], y[train])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExplanationWarning)  # said once, on the page and by the caller
            parts.append(saliency(fitted, X[test], method=method, auroc_interval=auroc_interval, random_state=seed))
        rows.append(test)
    order = np.argsort(np.concatenate(rows), kind="stable")
    return _joined(parts, order), fitted


def _joined(parts: Sequence[SaliencyMaps], order: np.ndarray) -> SaliencyMaps:
    first = parts[0]
    errors = [part.completeness_error for part in parts if part.completeness_error is not None]
    return SaliencyMaps(
        {name: np.concatenate([part[name] for part in parts])[order] for name in first},
        volumes={name: np.concatenate([part.volumes[name] for part in parts])[order] for name in first.volumes},
        affines={name: np.concatenate([part.affines[name] for part in parts])[order] for name in first.affines},
        ids=np.concatenate([part.ids for part in parts])[order],
        probability=np.concatenate([part.probability for part in parts])[order],
        method=first.method,
        target=first.target,
        completeness_error=np.concatenate(errors)[order] if errors else None,
        caution=first.caution,
    )


def explain_maps(
    out: ExplanationFolder,
    maps: SaliencyMaps,
    X: Cohort,
    chosen: Sequence[int],
    *,
    model: Any,
    name: str,
    seed: int,
) -> None:
    """Draw the maps of some patients, write them on the patients' own grids, and measure what can be measured."""
    section = Section(f"Maps ({model_label(name)}, {maps.method})")
    out.caution(maps.caution)
    if not maps:
        section.text.append("No branch of this model takes volumes, so there is no place to point at.")
        out.add(section)
        return
    shown = [row for row in chosen if any(maps.present(modality)[row] for modality in maps)]
    for row in shown:
        display = SaliencyDisplay.from_maps(maps, row, X=X).plot()
        section.add(
            f"maps/{_file_name(maps.ids[row])}",
            display,
            f"Patient {maps.ids[row]}, probability of long PFS {maps.probability[row]:.2f}.",
        )
    files = any(X[modality].paths is not None for modality in maps)
    some = X[np.array(shown, dtype=int)]
    if files and shown:
        saliency_to_nifti(_some(maps, shown), some, out.folder / "maps")
        section.text.append("maps/*.nii.gz hold these maps on the grids of the patients' own scans.")
    if shown:
        write_viewer(maps, out.folder / "viewer.html", X=X, patients=shown)
        section.text.append("viewer.html lets you scroll through them.")
    tables: dict[str, pd.DataFrame] = {}
    if X.masks:
        regions = attribution_in_regions(maps, X.masks)
        tables["regions"], overall = regions, summarise_regions(regions)
        section.text.append(
            "How much of the maps of all patients lies in the masks, against what chance would put there:"
        )
        section.tables.append(overall)
    if shown:
        checked = weight_randomisation(model, some, method=maps.method, random_state=seed)
        tables["weight_randomisation"] = checked
        section.text.append(
            "weight_randomisation.csv tells how alike the maps stay when the network's layers are made random one after the "
            "other: a map that does not change says nothing of what was learnt."
        )
    out.add(section, **tables)


def _some(maps: SaliencyMaps, rows: Sequence[int]) -> SaliencyMaps:
    chosen = list(rows)
    return SaliencyMaps(
        {name: values[chosen] for name, values in maps.items()},
        volumes={name: values[chosen] for name, values in maps.volumes.items()},
        affines={name: values[chosen] for name, values in maps.affines.items()},
        ids=maps.ids[chosen],
        probability=maps.probability[chosen],
        method=maps.method,
        target=maps.target,
        caution=maps.caution,
    )


def _file_name(patient: Any) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in str(patient))
