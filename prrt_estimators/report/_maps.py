"""Maps of PET and CT for an explanation: out of fold, on the patients' own grids, with what speaks against them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from prrt_estimators._modalities import MODALITIES
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
from prrt_estimators.inspection._explained_models import FittedFolds
from prrt_estimators.model_selection._digest import private_text
from prrt_estimators.plotting import SaliencyDisplay, model_label
from prrt_estimators.report._explained import ExplanationFolder, Section
from prrt_estimators.report._viewer import write_viewer

#: Patients whose maps are held at once: on the grid of a large pretrained network each takes 64 MB.
_AT_ONCE = 8


@dataclass
class FoundMaps:
    """Maps of the patients who are shown, and where the maps of all patients lie.

    Parameters
    ----------
    parts : list of SaliencyMaps
        Of some patients each.
    rows : list of int
        Their rows in the cohort.
    regions : list of DataFrame
        From `attribution_in_regions`, of every patient, where there are masks.
    """

    parts: list[SaliencyMaps] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    regions: list[pd.DataFrame] = field(default_factory=list)

    def look(self, model: Any, X: Cohort, rows: Iterable[int], shown: Sequence[int], **options: Any) -> None:
        """Take the maps of some rows by a fitted model, a few patients at a time; without masks of those shown only."""
        looked = [int(row) for row in rows if X.masks or row in shown]
        for start in range(0, len(looked), _AT_ONCE):
            some = looked[start : start + _AT_ONCE]
            part = X[np.array(some, dtype=int)]
            with warnings.catch_warnings():
                # Said on the page, or once by the caller.
                warnings.simplefilter("ignore", ExplanationWarning)
                maps = saliency(model, part, **options)
            if part.masks and maps:
                self.regions.append(attribution_in_regions(maps, part.masks))
            kept = [k for k, row in enumerate(some) if row in shown]
            if kept:
                self.parts.append(maps.take(kept))
                self.rows += [some[k] for k in kept]

    def maps(self, shown: Sequence[int]) -> SaliencyMaps:
        """Return the maps of the patients who are shown, in that order."""
        return _joined(self.parts, [self.rows.index(row) for row in shown])


def maps_of_folds(folds: FittedFolds, X: Cohort, shown: Sequence[int], **options: Any) -> FoundMaps:
    """Return maps by models trained without the patient."""
    found = FoundMaps()
    for fold in folds.folds:
        found.look(fold.model, X, fold.test.tolist(), shown, **options)
    return found


def _joined(parts: Sequence[SaliencyMaps], order: Sequence[int]) -> SaliencyMaps:
    first = parts[0]
    # Whether a large pretrained network can be followed back depends on the memory that is free at the time.
    names = [name for name in first if all(name in part for part in parts)]
    errors = [part.completeness_error for part in parts if part.completeness_error is not None]
    return SaliencyMaps(
        {name: np.concatenate([part[name] for part in parts])[order] for name in names},
        volumes={name: np.concatenate([part.volumes[name] for part in parts])[order] for name in names},
        affines={name: np.concatenate([part.affines[name] for part in parts])[order] for name in names},
        ids=np.concatenate([part.ids for part in parts])[order],
        probability=np.concatenate([part.probability for part in parts])[order],
        method=first.method,
        target=first.target,
        completeness_error=np.concatenate(errors)[order] if errors else None,
        caution=first.caution,
        without_place={name: reason for part in parts for name, reason in part.without_place.items()},
    )


def explain_maps(
    out: ExplanationFolder, found: FoundMaps, X: Cohort, shown: Sequence[int], *, model: Any, name: str, seed: int
) -> None:
    """Draw the maps of some patients, write them on the patients' own grids, and measure what can be measured."""
    maps = found.maps(shown)
    section = Section(f"Maps ({model_label(name)}, {maps.method})")
    out.caution(maps.caution)
    section.text += [
        f"No map of {MODALITIES[modality].title}: {private_text(reason, X)}"
        for modality, reason in maps.without_place.items()
    ]
    if not maps:
        out.add(section)
        return
    seen = [k for k in range(len(shown)) if any(maps.present(modality)[k] for modality in maps)]
    some = X[np.array([shown[k] for k in seen], dtype=int)]
    maps = maps.take(seen)
    for k in range(len(seen)):
        display = SaliencyDisplay.from_maps(maps, k, X=some)
        section.add(
            f"maps/{_file_name(maps.ids[k])}",
            display,
            f"Patient {maps.ids[k]}, probability of long PFS {maps.probability[k]:.2f}.",
        )
    tables: dict[str, pd.DataFrame] = {}
    if seen:
        if any(X[modality].paths is not None for modality in maps):
            for files in saliency_to_nifti(maps, some, out.folder / "maps").values():
                out.wrote(files)
            section.text.append("maps/*.nii.gz hold these maps on the grids of the patients' own scans.")
        out.wrote([write_viewer(maps, out.folder / "viewer.html", X=some)])
        section.text.append("viewer.html lets you scroll through them.")
    if found.regions:
        tables["regions"] = pd.concat(found.regions, ignore_index=True)
        section.text.append(
            "The table below the figures tells how much of the maps of all patients lies in the masks, and what chance would put there."
        )
        section.tables.append(summarise_regions(tables["regions"]))
    if seen:
        checked = weight_randomisation(model, some, method=maps.method, random_state=seed)
        tables["weight_randomisation"] = checked
        section.text.append(
            "weight_randomisation.csv tells how alike the maps stay when the layers that were trained are made random one after "
            "the other: a map that does not change says nothing of what was learnt."
        )
    out.add(section, **tables)


def _file_name(patient: Any) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in str(patient))
