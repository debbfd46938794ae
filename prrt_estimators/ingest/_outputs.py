"""The folder of a cohort: its tables, its record, its sheets, and one writer at a time."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import Timeout

from prrt_estimators._analytes import Analyte
from prrt_estimators._date_forms import has_date, without_dates
from prrt_estimators._io import atomic_write, folder_lock, make_folder
from prrt_estimators._modalities import CT, PET
from prrt_estimators._pandas_tables import for_spreadsheets
from prrt_estimators.contours._corrected_lesions import corrected_file
from prrt_estimators.exceptions import RunMismatchError
from prrt_estimators.ingest._clinical_table import Clinical
from prrt_estimators.ingest._cohort_plan import FORMAT, Plan, taken_series
from prrt_estimators.ingest._contour_choice import CONTOUR_RULES
from prrt_estimators.ingest._convert import RECORD, SCANS, STRIP
from prrt_estimators.ingest._deface import RULE as DEFACE_RULE
from prrt_estimators.ingest._export_records import Inventory
from prrt_estimators.ingest._identity_search import IdentitySearch
from prrt_estimators.ingest._lesion_files import LESIONS
from prrt_estimators.ingest._lesion_tables import contour_counts, lesion_caption, lesions_table, with_corrections
from prrt_estimators.ingest._patient_flow import flow_counts
from prrt_estimators.ingest._pseudonyms import keyed_digest
from prrt_estimators.ingest._quality_sheets import write_sheets
from prrt_estimators.ingest._reference_limits import write_limits
from prrt_estimators.ingest._scan_kinds import what_is_shown
from prrt_estimators.ingest._series_selection import RULES
from prrt_estimators.ingest._software import software

PROVENANCE = "provenance.json"
#: What is kept with a patient's files.
Record = dict[str, Any]
#: How `atomic_write` names what is not finished.
_HALF_WRITTEN = re.compile(r"\.[\w.-]+-[a-z0-9_]{8}\.(gz|png|csv|json|html|txt)")


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a folder for this process."""
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"the cohort folder {folder} is a file; name another one.")
    make_folder(folder)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(folder_lock(folder))
        except Timeout:
            raise OSError(f"another process is writing to {folder}. Wait until it has finished, or stop it.") from None
        sweep(folder)
        yield


def sweep(folder: Path) -> None:
    """Remove files that a killed run left half-written, here and in the folders of patients."""
    for place in (folder, *(folder / "patients").glob("*")):
        for path in place.glob(".*-*.*") if place.is_dir() else ():
            if _HALF_WRITTEN.fullmatch(path.name) and path.is_file():
                path.unlink(missing_ok=True)


def check_key(folder: Path, key: bytes) -> None:
    """Refuse to mix pseudonyms of two keys in one folder.

    Raises
    ------
    RunMismatchError
        If the cohort in the folder was made under another key.
    """
    try:
        before = _key_check(folder / PROVENANCE)
    except (OSError, ValueError, KeyError, TypeError):
        return
    if before != keyed_digest(key, "check")[:16]:
        raise RunMismatchError(
            f"{folder} holds a cohort made under another key: its patients would get other pseudonyms. "
            "Pass the same key file, or name a new folder."
        )


def _key_check(path: Path) -> str:
    """Return the digest of the key, without the patients in memory where the file is as it was written."""
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if line.startswith(' "key_check": '):
                return str(json.loads(f"{{{line.strip().rstrip(',')}}}")["key_check"])
    return str(json.loads(path.read_text("utf-8"))["key_check"])


def remove_stale(folder: Path, records: Mapping[str, Record]) -> None:
    """Remove volumes of patients who are no longer in the cohort, and nothing that others put there."""
    for place in (folder / "patients").glob("*"):
        if not place.is_dir() or records.get(place.name, {}).get("stamp"):
            continue
        for name in (RECORD, STRIP, LESIONS, *SCANS.values()):
            (place / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            place.rmdir()


def write_tables(
    plan: Plan,
    records: Mapping[str, Record],
    contours: Mapping[str, Record],
    table: Clinical,
    flow: pd.DataFrame,
    columns: pd.DataFrame,
    panel: Mapping[str, Analyte],
    found: Inventory,
) -> Path:
    """Write everything but the volumes, with the records of one patient in memory; return the path of the cohort table."""
    out = plan.out
    _write_csv(_cohort_table(plan, records, table), out / "cohort.csv")
    _write_csv(flow, out / "flow.csv")
    _write_csv(columns, out / "columns.csv")
    write_limits(panel, out / "reference_limits.csv")
    if contours:
        masks = {name: _mask_cell(out, name, record) for name, record in records.items()}
        _write_csv(with_corrections(lesions_table(contours), out, masks), out / "lesions.csv")
    else:
        (out / "lesions.csv").unlink(missing_ok=True)
    with atomic_write(out / PROVENANCE) as temporary:
        _write_record(temporary, _record(plan, contours, flow, found), _patient_records(plan, records))
    rows = (
        (name, _caption(record), out / "patients" / name / STRIP)
        for name, record in records.items()
        if STRIP in record["files"]
    )
    write_sheets(rows, out)
    return out / "cohort.csv"


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    with atomic_write(path) as temporary:
        for_spreadsheets(table).to_csv(temporary, index=False, lineterminator="\n")


def _cohort_table(plan: Plan, records: Mapping[str, Record], table: Clinical) -> pd.DataFrame:
    """Return the cohort: pseudonym, paths, then what the clinical table gives."""
    keys = {plan.names[key]: key for key in table.frame.index}
    rows: list[str] = []
    paths: dict[str, list[str | None]] = {**{kind: [] for kind in SCANS}, "lesion_mask": []}
    for name, record in records.items():
        rows.append(name)
        for kind, file in SCANS.items():
            paths[kind].append(f"patients/{name}/{file}" if file in record["files"] else None)
        paths["lesion_mask"].append(_mask_cell(plan.out, name, record))
    cohort = pd.DataFrame({"patient_id": rows})
    for kind, cells in paths.items():
        if any(cells):
            cohort[kind] = cells
    frame = table.frame.loc[[keys[one] for one in rows]].reset_index(drop=True)
    for column in frame:
        header = _clean_header(str(column), plan.identity, cohort)
        cohort[header] = [_plain(cell) for cell in frame[column]]
    return cohort


def _mask_cell(out: Path, patient: str, record: Record) -> str | None:
    """Return the mask of a patient: the one that was corrected by hand, if it corrects what is drawn now."""
    found = out / "patients" / patient / LESIONS if LESIONS in record["files"] else None
    drawn = None if found is None else f"patients/{patient}/{LESIONS}"
    return corrected_file(out, patient, found) or drawn


def _plain(cell: Any) -> Any:
    if cell is None or cell != cell:
        return None
    if isinstance(cell, str):
        return cell
    return int(cell) if float(cell).is_integer() else cell


def _clean_header(name: str, identity: IdentitySearch, cohort: pd.DataFrame) -> str:
    place = f"column_{cohort.shape[1] + 1}"
    if has_date(name):
        name = " ".join(without_dates(name, " ").split()).strip(" ,;:-_()[]") or place
    name = place if identity.kinds_in(name) else name
    number = 2
    while (unique := name if number == 2 and name not in cohort else f"{name}_{number}") in cohort:
        number += 1
    return unique


def _patient_records(plan: Plan, records: Mapping[str, Record]) -> Iterator[tuple[str, Record]]:
    """Give what the record says of each patient."""
    for name, record in records.items():
        told: Record = {kind: dict(record[kind]) for kind in (*SCANS, "contours") if kind in record}
        chosen = plan.chosen.get(name)
        if chosen is not None:
            told["pet_to_therapy_days"] = chosen.days_to_therapy
            pet, ct = (taken_series(chosen, record, kind) for kind in SCANS)
            if pet is not None and ct is not None and pet[1] and ct[1]:
                told["pet_to_ct_minutes"] = round((ct[1] - pet[1]).total_seconds() / 60, 1)
            for kind, what in what_is_shown(chosen, record).items():
                told[kind]["shows"] = what
        yield name, told


def _write_record(path: Path, record: Record, patients: Iterable[tuple[str, Record]]) -> None:
    """Write a record as JSON with one patient after the other."""
    head, tail = json.dumps(record | {"patients": {}}, indent=1, sort_keys=True).split('\n "patients": {}')
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(f'{head}\n "patients": {{')
        end = "}"
        for name, told in patients:
            text = json.dumps(told, indent=1, sort_keys=True).replace("\n", "\n  ")
            stream.write(f"{'' if end == '}' else ','}\n  {json.dumps(name)}: {text}")
            end = "\n }"
        stream.write(f"{end}{tail}\n")


def _record(plan: Plan, contours: Mapping[str, Record], flow: pd.DataFrame, found: Inventory) -> Record:
    counts = flow_counts(flow)
    return {
        "format": FORMAT,
        "software": software(),
        "settings": {
            "grid": "native",
            "spacing_mm": None,
            "require": list(plan.require),
            "deface": DEFACE_RULE if plan.deface else None,
            "time_point": plan.wishes.time_point,
            "tracers": list(plan.wishes.tracers),
            "series_named_by_the_user_for": len(plan.override),
            "contours": plan.contours.observers,
            "lesions_named_by_the_user": plan.contours.lesions is not None or plan.contours.not_lesions is not None,
        },
        "rules": [*RULES, *CONTOUR_RULES],
        "contours": contour_counts(contours).to_dict("records"),
        "key_check": keyed_digest(plan.key, "check")[:16],
        "export": {"files": found.n_files, "other_files": found.n_other, "patients": len(found.patients)},
        "flow": dict(zip(counts["step"], map(int, counts["patients"]), strict=True)),
    }


def _caption(record: Record) -> list[str]:
    """Return what stands beside an image row."""
    lines = []
    for kind in SCANS:
        if kind in record:
            shape, zooms = record[kind]["grid"]["shape"], record[kind]["grid"]["spacing_mm"]
            lines.append(f"{kind.upper()} {' x '.join(map(str, shape))}")
            lines.append(f"   {' x '.join(f'{zoom:.3g}' for zoom in zooms)} mm")
    pet = record.get(PET.name)
    if pet:
        lines.append(f"SUV max {pet['suv_max']:.1f}, {pet['suv']['kind']} {pet['suv']['decay_correction']}")
        minutes = pet["suv"]["uptake_minutes"]
        lines.append("uptake time not told" if minutes is None else f"uptake {minutes:.0f} min")
    lines += lesion_caption(record.get("contours"))
    kernel = record.get(CT.name, {}).get("tags", {}).get("ConvolutionKernel")
    return [*lines, f"CT kernel {kernel}"] if kernel else lines
