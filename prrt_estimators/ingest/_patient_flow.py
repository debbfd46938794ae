"""The way of every patient from the export to the cohort, and where it ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from prrt_estimators._modalities import INGESTED

#: The stages in their order, with what can be done about a patient who is left out there.
STAGES = {
    "identity": "correct the identifiers in the export, or export the patients apart",
    "table": "correct the patient's row in the table",
    "images": "add the images to the export, or the patient to the table",
    "PET": "export the attenuation-corrected series whole, or name one in an override file",
    "CT": "export the CT of the same examination whole, or name one in an override file",
    "reading": "export the series again, or correct its header",
    "": "",
}
COLUMNS = ["patient_id", "status", "stage", "reason", "remedy", "notes", *INGESTED]
INCLUDED, LEFT_OUT = "included", "left out"


@dataclass(slots=True)
class FlowRow:
    """One patient, or a heap of files that belong to nobody.

    Attributes
    ----------
    patient : str
        Pseudonym; empty for files without a patient.
    stage, reason : str
        Where and why the patient was left out; empty for one who is included.
    notes : list of str
    shown : dict of str to str
        What the scans show: tracer, phase.
    """

    patient: str
    stage: str = ""
    reason: str = ""
    notes: list[str] = field(default_factory=list)
    shown: Mapping[str, str] = field(default_factory=dict)


def flow_table(rows: list[FlowRow]) -> pd.DataFrame:
    """Return one row per patient: patient_id, status, stage, reason, remedy, notes, and what PET and CT show."""
    order = list(STAGES)
    ordered = sorted(rows, key=lambda row: (bool(row.reason), order.index(row.stage), row.patient, row.reason))
    cells = {
        "patient_id": [row.patient for row in ordered],
        "status": [LEFT_OUT if row.reason else INCLUDED for row in ordered],
        "stage": [row.stage for row in ordered],
        "reason": [row.reason for row in ordered],
        "remedy": [STAGES[row.stage] for row in ordered],
        "notes": ["; ".join(dict.fromkeys(row.notes)) for row in ordered],
        **{kind: [row.shown.get(kind, "") for row in ordered] for kind in INGESTED},
    }
    return pd.DataFrame(cells, columns=COLUMNS, dtype=object if not ordered else None)


def flow_counts(flow: pd.DataFrame) -> pd.DataFrame:
    """Return how many patients went how far: step, patients.

    Examples
    --------
    >>> flow = flow_table([FlowRow("P1"), FlowRow("P2", "PET", "no PET series"), FlowRow("", "identity", "no identifier")])
    >>> flow_counts(flow).values.tolist()
    [['in the images or the table', 2], ['left out: PET: no PET series', 1], ['included', 1]]
    """
    patients = flow[flow["patient_id"] != ""]
    left = patients[patients["status"] == LEFT_OUT]
    counted = Counter(
        f"{LEFT_OUT}: {stage}: {reason}" for stage, reason in zip(left["stage"], left["reason"], strict=True)
    )
    rows = [("in the images or the table", len(patients)), *counted.items(), (INCLUDED, len(patients) - len(left))]
    return pd.DataFrame(rows, columns=["step", "patients"])
