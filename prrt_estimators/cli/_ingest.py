"""``prrt ingest``: a scanner export and a spreadsheet to a cohort."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from prrt_estimators.cli import _options as o
from prrt_estimators.cli._console import MODEL_FAILED, OK, print_table, reported, say

_TABLE, _SERIES, _PRIVACY = "Clinical table", "Which series", "Privacy"
_LESIONS = "Lesions"


def _option(text: str, panel: str | None = None, *names: str, **more: Any) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=panel, show_default=False, **more)


@reported
def ingest(
    dicom_dir: Annotated[
        Path, typer.Argument(metavar="DICOM_DIR", help="Folder of DICOM files in any layout.", show_default=False)
    ],
    clinical: Annotated[Path, _option("Table with one row per patient: CSV or Excel.")],
    out: Annotated[Path, _option("Folder of the cohort; rerun the same command to resume.")],
    id_column: Annotated[
        str | None, _option("Column with the identifiers of the images. (default: found by its values)", _TABLE)
    ] = None,
    id_from: Annotated[
        str,
        typer.Option(
            help="What identifies a patient in the images: patient_id, patient_name, or folder (the first below "
            "DICOM_DIR).",
            rich_help_panel=_TABLE,
        ),
    ] = "patient_id",
    therapy_date: Annotated[
        str, _option("Column with the start of therapy; the last PET on or before it is used. 'none' for none.", _TABLE)
    ] = "auto",
    progression_date: Annotated[str, _option("Column with the date of progression.", _TABLE)] = "auto",
    last_contact_date: Annotated[str, _option("Column with the date of the last contact.", _TABLE)] = "auto",
    death_date: Annotated[str, _option("Column with the date of death.", _TABLE)] = "auto",
    weight: Annotated[str, _option("Column with the body weight in kg, for images that lack it.", _TABLE)] = "auto",
    keep: Annotated[
        str, _option("Columns to pass on although they look like free text, comma-separated.", _TABLE)
    ] = "",
    limits: Annotated[
        Path | None, _option("Table of reference limits, such as an edited reference_limits.csv.", _TABLE)
    ] = None,
    no_derived: Annotated[bool, _option("Add no ratios of laboratory values.", _TABLE, "--no-derived")] = False,
    sheet: Annotated[str, _option("Sheet of an Excel file, by number or name.", _TABLE)] = "0",
    require: Annotated[
        str, _option("Scans without which a patient is left out: pet,ct (default), pet, ct or none.", _SERIES)
    ] = "pet,ct",
    time_point: Annotated[
        str | None, _option("If a patient has PET on several days and no date of therapy: first or last.", _SERIES)
    ] = None,
    tracers: Annotated[
        str,
        typer.Option(
            help="Tracers in order of preference, comma-separated: names, targets or nuclides. The first that a patient has is used.",
            rich_help_panel=_SERIES,
        ),
    ] = "SSTR,Ga-68,Cu-64",
    prefer_pet: Annotated[
        str | None, _option("Regular expression for the description of the PET series.", _SERIES)
    ] = None,
    prefer_ct: Annotated[
        str | None, _option("Regular expression for the description of the CT series.", _SERIES)
    ] = None,
    override: Annotated[
        Path | None, _option("Series for single patients: CSV with patient, pet, ct, contours; or JSON.", _SERIES)
    ] = None,
    contours: Annotated[
        str,
        typer.Option(
            help="Contours to use if several observers drew lesions: first, last or all.",
            rich_help_panel=_LESIONS,
        ),
    ] = "last",
    lesions: Annotated[
        str | None,
        _option(
            "Regular expression for names of structures that are lesions. (default: by words in the name)", _LESIONS
        ),
    ] = None,
    not_lesions: Annotated[
        str | None, _option("Regular expression for names of structures that are not lesions.", _LESIONS)
    ] = None,
    key: Annotated[
        Path | None,
        _option("Key of the pseudonyms, made if it does not exist. (default: in the user's settings)", _PRIVACY),
    ] = None,
    pseudonym_column: Annotated[
        str | None,
        _option("Column with your own pseudonyms; that of --id-column if the export is pseudonymous.", _PRIVACY),
    ] = None,
    deface: Annotated[bool, _option("Remove what lies more than 6 cm above the lungs.", _PRIVACY, "--deface")] = False,
    jobs: Annotated[
        int | None, _option("Patients converted at once. (default: one per processor, at most 4)", min=1)
    ] = None,
    quiet: o.Quiet = False,
) -> int | None:
    """Make a pseudonymous cohort (NIfTI scans in SUVbw and HU, cohort.csv) from a DICOM export and a clinical table.

    flow.csv lists who was left out and why, columns.csv how each column was interpreted, and quality_01.png shows the
    scans. The last step searches all outputs for names, identifiers and dates.

    Exit code: 0 done, 1 nobody could be included or the search found something, 2 wrong usage or input, 130 interrupted.
    """
    from prrt_estimators.ingest import ingest as run

    required = o.split_names(require)
    options: dict[str, Any] = {
        "id_from": id_from, "time_point": time_point, "prefer_pet": prefer_pet, "prefer_ct": prefer_ct,
        "override": override, "key_file": key, "pseudonym_column": pseudonym_column, "limits": limits,
        "id_column": id_column, "deface": deface, "n_jobs": jobs, "tracers": o.split_names(tracers),
        "contours": contours, "lesions": lesions, "not_lesions": not_lesions,
    }  # fmt: skip
    dates: dict[str, str] = {
        "therapy_date": therapy_date, "progression_date": progression_date, "last_contact_date": last_contact_date,
        "death_date": death_date, "weight": weight,
    }  # fmt: skip
    options |= {name: None if value.lower() == "none" else value for name, value in dates.items()}
    result = run(
        dicom_dir,
        clinical,
        out,
        **options,
        keep=o.split_names(keep),
        derived=not no_derived,
        sheet=int(sheet) if sheet.isdigit() else sheet,
        require=() if required == ["none"] else required,
        verbose=not quiet,
    )
    return _tell(result, out, quiet)


def _tell_contours(contours: Any) -> None:
    """Say how many lesions, structures and objects met which fate."""
    for what, part in contours.groupby("what", sort=False):
        told = ", ".join(f"{count} {fate}" for fate, count in zip(part["fate"], part["count"], strict=True))
        say(f"Contours, {what}: {told}.")


def _tell(result: Any, out: Path, quiet: bool) -> int:
    print_table(result.counts.astype(str), title="Patients")
    for line in result.shown:
        say(f"{line}.")
    _tell_contours(result.contours)
    for reason in result.flow.loc[result.flow["patient_id"] == "", "reason"]:
        say(f"Ignored: {reason}.")
    if not quiet:
        used = result.columns[result.columns["passed_on_as"] != ""]
        for remark in result.columns.loc[result.columns["role"] == "sheet", "why"]:
            say(remark[0].upper() + remark[1:])
        say(f"{len(used)} columns of the table are in cohort.csv; columns.csv shows how each column was interpreted.")
        if result.n_kept:
            say(f"{result.n_kept} patients were finished before and are kept.")
    for found in result.findings:
        article = "an" if found.kind == "identifier" else "a"
        say(f"Warning: {found.file} holds {article} {found.kind} of a patient. Do not pass it on.")
    if result.findings:
        return MODEL_FAILED
    if not result.n_included:
        say(f"Nobody could be included; {out / 'flow.csv'} says why.")
        return MODEL_FAILED
    if not quiet:
        say("No name, identifier or date of a patient was found in any output.")
        say(f"Look at {out / 'quality_01.png'}. Next: prrt compare {out / 'cohort.csv'} --out DIR")
    return OK
