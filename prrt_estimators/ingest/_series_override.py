"""The user's own choice of series, patient by patient."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prrt_estimators._modalities import INGESTED
from prrt_estimators.exceptions import CohortError, Problem
from prrt_estimators.ingest._clinical_sheet import read_sheet
from prrt_estimators.ingest._pseudonyms import canonical_id, id_text

_KINDS = (*INGESTED, "contours")


def read_override(
    source: str | os.PathLike[str] | Mapping[str, Mapping[str, str]] | None, pseudonyms: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    """Return the series that are named for patients, by canonical identifier.

    Parameters
    ----------
    source : path, mapping or None
        CSV or Excel with the columns patient, pet, ct, contours; or JSON (or a mapping) of patient to modality to series.
        A patient is an identifier or a pseudonym, a series a SeriesInstanceUID, series number or folder.
    pseudonyms : mapping of canonical identifier to pseudonym

    Raises
    ------
    CohortError
        If a patient is not in the images, or the file is of another form. Patients are counted, not named.
    """
    if source is None:
        return {}
    back = {pseudonym.casefold(): key for key, pseudonym in pseudonyms.items()}
    found: dict[str, dict[str, str]] = {}
    unknown = 0
    for patient, named in _entries(source):
        key = canonical_id(patient)
        key = key if key in pseudonyms else back.get(str(patient).strip().casefold(), "")
        if not key:
            unknown += 1
        else:
            found[key] = {kind: id_text(named[kind]) for kind in _KINDS if named.get(kind) not in (None, "")}
    if unknown:
        what = f"the override names {unknown} patient(s) who are neither in the images nor in the table"
        raise CohortError([Problem(what, "correct the identifiers or pseudonyms")])
    return found


def _entries(source: Any) -> list[tuple[Any, Mapping[Any, Any]]]:
    remedy = "give a table with the columns patient, pet, ct, contours, or JSON of patient to modality to series"
    if not isinstance(source, Mapping) and Path(source).suffix.lower() != ".json":
        frame = read_sheet(source)
        if "patient" not in frame or not set(_KINDS) & set(frame.columns):
            raise CohortError([Problem("the override has other columns", remedy)])
        return [(row["patient"], row) for row in frame.to_dict("records") if row["patient"] is not None]
    try:
        content = source if isinstance(source, Mapping) else json.loads(Path(source).read_text("utf-8"))
    except ValueError:
        raise CohortError([Problem("the override is not JSON", remedy)]) from None
    if not isinstance(content, Mapping) or not all(isinstance(named, Mapping) for named in content.values()):
        raise CohortError([Problem("the override has another form", remedy)])
    return list(content.items())
