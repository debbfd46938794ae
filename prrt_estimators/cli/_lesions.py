"""``prrt lesions``: lesions of a table as volumes, tables and sheets; corrected ones back; into the hospital's archive."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from prrt_estimators._arguments import parameter
from prrt_estimators.cli import _options as o
from prrt_estimators.cli._console import MODEL_FAILED, OK, print_table, reported, say
from prrt_estimators.cli._model_options import CacheDir

_CORRECT, _ARCHIVE = "Correct by hand", "Into the original studies"


class Definition(StrEnum):
    """What a lesion is."""

    phantom = "phantom"
    mask = "mask"
    suv4 = "suv4"
    liver = "liver"
    part41 = "41%"
    part50 = "50%"


@reported
@o.takes_table
def lesions(
    cohort: o.CohortFile,
    out: Annotated[Path | None, typer.Option(help="Folder for volumes, tables and sheets.", show_default=False)] = None,
    lesions: Annotated[
        Definition,
        typer.Option(
            help="Definition of a lesion: 'phantom' (by a finder that was trained on phantoms), 'mask' (the masks of the "
            "table), or a threshold: SUV 4, 1.5 x liver + 2 SD, 41 or 50 % of a lesion's maximum."
        ),
    ] = Definition.phantom,
    weights: Annotated[
        Path | None,
        typer.Option(help="Folder with the weights of another finder. (default: the package's)", show_default=False),
    ] = None,
    corrected: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="Folder that --out wrote and somebody edited: put the corrected lesions into the table.",
            rich_help_panel=_CORRECT,
            show_default=False,
        ),
    ] = None,
    dicom: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the export: write the masks of the table to --out as DICOM SEG of its studies. These files hold "
            "names; keep them inside the hospital.",
            rich_help_panel=_ARCHIVE,
            show_default=False,
        ),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(help="Key of the pseudonyms, for --dicom.", rich_help_panel=_ARCHIVE, show_default=False),
    ] = None,
    rtstruct: Annotated[
        bool, typer.Option("--rtstruct", help="With --dicom: write RTSTRUCT, too.", rich_help_panel=_ARCHIVE)
    ] = False,
    cache_dir: CacheDir = None,
    quiet: o.Quiet = False,
    *,
    table: dict[str, object],
) -> int | None:
    """Find the lesions on PET and CT: label volumes on the patients' own grids, a table, and sheets to look through.

    The finder was trained on phantoms only. Look at the sheets before you use its numbers. The folder ``edit`` in --out holds the lesions
    for 3D Slicer and ITK-SNAP; once they are corrected and saved under their names, --from puts them into the table.
    """
    from prrt_estimators.datasets import load_cohort

    if (out is None) == (corrected is None):
        raise ValueError(
            f"give either {parameter('out')}, to write lesions, or {parameter('from')}, to take corrected ones."
        )
    if dicom is not None and (key is None or out is None):
        raise ValueError(
            f"{parameter('dicom')} needs {parameter('key')}, the key of the pseudonyms, and {parameter('out')}, a folder outside of the cohort."
        )
    outcome = {"time": None, "event": None, "target": None}
    data = load_cohort(cohort, verbose=not quiet, **(table | outcome))  # type: ignore[arg-type]
    if corrected is not None:
        return _take(data, cohort, corrected)
    assert out is not None
    if dicom is not None:
        assert key is not None
        return _into_studies(data.X, dicom, key, out, rtstruct)
    from prrt_estimators.report import write_lesions, write_lesions_to_edit

    file = write_lesions(
        data.X,
        out,
        lesions=lesions.value,
        weights=weights,
        cache_dir=cache_dir,
        progress=None if quiet else lambda done, n: say(f"{done} of {n} patients"),
    )
    write_lesions_to_edit(data.X, out, lesions=lesions.value)
    say(f"Look at {out / 'overview.png'}; one row per lesion: {file}")
    say(f"To correct lesions, edit the files in {out / 'edit'}, then: prrt lesions {cohort} --from {out}")
    return None


def _take(data: Any, cohort: Path, folder: Path) -> int:
    from prrt_estimators.contours import apply_corrections

    patient = data.roles.set_index("role")["column"].get("patient_id")
    if patient is None:
        raise ValueError("the table has no column of patients, by which corrected lesions could be matched.")
    edit = folder / "edit"
    changes = apply_corrections(data.X, cohort, edit if edit.is_dir() else folder, str(patient))
    print_table(changes.astype(str), title="Lesions that changed")
    say("Nothing was edited." if changes.empty else f"The corrected lesions are in {cohort}; those found are kept.")
    return OK


def _into_studies(X: Any, dicom: Path, key: Path, out: Path, rtstruct: bool) -> int:
    import pandas as pd

    from prrt_estimators.contours import given_lesions
    from prrt_estimators.ingest import write_into_studies

    made = write_into_studies(given_lesions(X), dicom, key, out, rtstruct=rtstruct)
    rows = [(one.patient, ", ".join(str(file) for file in one.files), one.reason) for one in made]
    print_table(pd.DataFrame(rows, columns=["patient_id", "files", "reason"]), title="DICOM objects")
    say(f"The objects in {out} hold names, identifiers and dates of patients. Keep them inside the hospital.")
    return MODEL_FAILED if any(not one.files and not one.empty for one in made) else OK
