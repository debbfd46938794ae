"""How well does the lesion finder find, on phantoms that it never saw and on real scans? Writes the tables of docs/lesions.md.

    python benchmarks/lesion_finder.py --out results-lesion-finder

Phantoms of eight settings: the training's own, others' scanners, other voxels, tracers and contrast, and patients with one scan
only. Real scans from ``../shared/data``, where it is there: a CT with labels of organs, and the sarcoma patients with masks. Each
setting is written when it is done, so that a run that was interrupted resumes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from prrt_estimators import Cohort, make_prrt_cohort
from prrt_estimators._io import atomic_write
from prrt_estimators.features import LesionFeatures
from prrt_estimators.features._delineation import DEFINITIONS, FOUND_SHARE
from prrt_estimators.features._field import label_lesions
from prrt_estimators.features._images import Image, mask_onto_box
from prrt_estimators.features._lesion_finder import Findings, find
from prrt_estimators.features._networks import SITES
from prrt_estimators.features._training_phantoms import LabelledPhantom, Setting, labelled_phantom
from prrt_estimators.features._weights import FinderWeights, load_finder
from prrt_estimators.phantoms._factors import CENTRES, Centre, draw_patient
from prrt_estimators.preprocessing._scans import read_scan

ENTROPY = 5400
#: Numbers whose order over patients is compared between definitions.
AGREEMENT = (
    "lesion_volume_ml",
    "total_uptake_suv_ml",
    "suv_peak",
    "suv_mean",
    "suv_mean_lowest",
    "n_lesions",
    "dmax_mm",
)
DOCS = Path(__file__).resolve().parents[1] / "docs"
MARKS = ("<!-- lesion finder: {} -->\n", "<!-- end -->")
_PALE = dict.fromkeys(("liver", "spleen", "kidney"), 0.5)
#: name: setting (None: the patient's own of six scanners), shape, scans.
SETTINGS: dict[str, tuple[Setting | None, tuple[int, int, int], tuple[str, ...]]] = {
    "one scanner": (Setting(), (40, 30, 54), ("pet", "ct")),
    "six scanners": (None, (40, 30, 54), ("pet", "ct")),
    "blur 9 mm, noise x 2.2": (Setting(Centre(0.0, 1.0, 9.0, 2.2, 2.2)), (40, 30, 54), ("pet", "ct")),
    "voxels of 8 mm": (Setting(), (55, 42, 75), ("pet", "ct")),
    "CT without contrast": (Setting(contrast=0.0), (40, 30, 54), ("pet", "ct")),
    "organs with half the uptake": (Setting(uptake=_PALE), (40, 30, 54), ("pet", "ct")),
    "PET alone": (Setting(), (40, 30, 54), ("pet",)),
    "CT alone": (Setting(), (40, 30, 54), ("ct",)),
}
SIZES = ((0, 11, "radius under 11 mm"), (11, 14, "11 to 14 mm"), (14, 17, "14 to 17 mm"), (17, 99, "over 17 mm"))
UPTAKES = ((0, 6, "SUV under 6"), (6, 12, "6 to 12"), (12, 24, "12 to 24"), (24, 999, "over 24"))


def evaluate(name: str, patients: int, weights: FinderWeights) -> list[dict]:
    """Return one row per lesion of a setting's phantoms, and one per patient and scan."""
    setting, shape, scans = SETTINGS[name]
    rows = []
    for number in range(patients):
        patient = draw_patient(ENTROPY, number, len(CENTRES) if setting is None else 1)
        own = Setting(CENTRES[patient.centre]) if setting is None else setting
        phantom = labelled_phantom(patient, own, shape)
        images = {scan: Image(getattr(phantom, scan), phantom.grid.affine) for scan in scans}
        findings = find(images.get("pet"), images.get("ct"), weights)
        for scan, shares in (("pet", findings.on_pet), ("ct", findings.on_ct)):
            if shares is not None:
                rows += _patient_rows(name, number, scan, shares.max(0), findings, phantom)
    return rows


def _patient_rows(
    name: str, number: int, scan: str, share: np.ndarray, findings: Findings, phantom: LabelledPhantom
) -> list[dict]:
    n = len(SITES)
    true = phantom.lesion[:n] if scan == "pet" else phantom.lesion[n:]
    like = Image(share, findings.box.affine)
    truth = mask_onto_box(Image((true.max(0) > 0.35).astype(np.float32), phantom.grid.affine), findings.box) > 0.5
    found = share > FOUND_SHARE
    labels = label_lesions(found, 1.0)
    hit = np.unique(labels[truth])
    whole = true.max(0).sum() * np.prod(phantom.grid.spacing)
    rows = [
        {
            "setting": name,
            "patient": number,
            "scan": scan,
            "what": "patient",
            "dice": 2 * (found & truth).sum() / max(found.sum() + truth.sum(), 1),
            "volume_ratio": share.sum() * findings.voxel_ml * 1000 / whole,
            "false": int(labels.max(initial=0)) - int((hit > 0).sum()),
        }
    ]
    for lesion in phantom.lesions:
        if not (lesion.avid if scan == "pet" else lesion.ct_visible):
            continue
        shape = lesion.pet_shape() if scan == "pet" else lesion.shape
        voxel = np.linalg.solve(like.affine[:3, :3], np.asarray(shape.centre) - like.affine[:3, 3])
        place = tuple(np.clip(np.round(voxel).astype(int), 0, np.array(share.shape) - 1))
        rows.append(
            {
                "setting": name,
                "patient": number,
                "scan": scan,
                "what": "lesion",
                "site": lesion.organ,
                "radius_mm": shape.size,
                "suv": lesion.suv if scan == "pet" else np.nan,
                "alone": not (lesion.avid and lesion.ct_visible),
                "found": bool(share[place] > FOUND_SHARE),
            }
        )
    return rows


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one row per setting and scan."""
    table = []
    for (name, scan), part in rows.groupby(["setting", "scan"], sort=False):
        patients, lesions = part[part["what"] == "patient"], part[part["what"] == "lesion"]
        found = lesions["found"].astype(bool)
        line = {"setting": name, "scan": scan.upper(), "phantoms": len(patients), "lesions": len(lesions)}
        line |= {"found": round(float(found.mean()), 2), "false per phantom": round(float(patients["false"].mean()), 1)}
        line |= {"Dice": round(float(patients["dice"].mean()), 2)}
        table.append(line | {"volume ratio": round(float(patients["volume_ratio"].median()), 2)})
    return pd.DataFrame(table)


def strata(rows: pd.DataFrame, setting: str = "six scanners") -> pd.DataFrame:
    """Return the share of lesions that are found by size, site and uptake in one setting."""
    lesions = rows[(rows["what"] == "lesion") & (rows["setting"] == setting)]
    table = []

    def add(name: str, chosen: pd.Series) -> None:
        line: dict = {"lesions": name}
        for scan in ("pet", "ct"):
            part = lesions[chosen & (lesions["scan"] == scan)]["found"].astype(float)
            line |= {
                f"{scan.upper()} found": round(float(part.mean()), 2) if len(part) else "",
                f"{scan.upper()} n": len(part),
            }
        table.append(line)

    for low, high, label in SIZES:
        add(label, lesions["radius_mm"].between(low, high, inclusive="left"))
    for site in SITES:
        add(site, lesions["site"] == site)
    for low, high, label in UPTAKES:
        add(label, lesions["suv"].between(low, high, inclusive="left"))
    add("shown by this scan only", lesions["alone"].astype(bool))
    return pd.DataFrame(table)


#: Tissue of the finder, its name, and its values in the labels of the CT; muscle is labelled in part only.
_LABELLED = ((0, "liver", (5,)), (1, "spleen", (1,)), (2, "kidneys", (2, 3)), (4, "muscle of the back", (86, 87)))


def organs(folder: Path, weights: FinderWeights) -> pd.DataFrame:
    """Return how the network of CT names organs on a CT without contrast medium, in the slices that have labels."""
    import nibabel

    scan = read_scan(str(folder / "example_ct.nii.gz"), "ct")
    given = nibabel.load(folder / "example_seg.nii.gz")
    truth, affine = np.asarray(given.dataobj), np.array(given.affine)
    # The labels are those of the last slices of the scan, though their file places them at the first.
    affine[:3, 3] += affine[:3, 2] * (scan.data.shape[2] - truth.shape[2])
    findings = find(None, Image(scan.data, scan.affine), weights)
    assert findings.ct is not None
    assert findings.on_ct is not None
    inside = mask_onto_box(Image(np.ones(truth.shape, np.float32), affine), findings.box) > 0.5
    table = []
    for tissue, name, numbers in _LABELLED:
        true = mask_onto_box(Image(np.isin(truth, numbers).astype(np.float32), affine), findings.box) > 0.5
        named = (findings.tissue[tissue] > 0.5) & inside
        overlap = 2 * (true & named).sum() / max(true.sum() + named.sum(), 1)
        hu = [round(float(np.median(findings.ct[part]))) if part.any() else "none" for part in (true, named)]
        table.append(
            {
                "tissue": name,
                "labelled mL": round(true.sum() * findings.voxel_ml),
                "named mL": round(named.sum() * findings.voxel_ml),
                "Dice": "" if tissue == 4 else round(float(overlap), 2),
                "HU labelled": hu[0],
                "HU named": hu[1],
            }
        )
    tumour = round((findings.on_ct.max(0) > FOUND_SHARE).sum() * findings.voxel_ml)
    table.append({"tissue": "tumour, in the whole scan", "named mL": tumour})
    return pd.DataFrame(table)


def sarcomas(folder: Path, weights: FinderWeights) -> pd.DataFrame:
    """Return what the finder sees on the FDG-PET and CT of the sarcoma patients, against their masks."""
    import nibabel

    cohort = pd.read_csv(folder / "cohort.csv")
    rows = []
    for line in cohort.itertuples():
        pet, ct = (read_scan(str(folder / path), scan) for path, scan in ((line.pet, "pet"), (line.ct, "ct")))
        given = nibabel.load(folder / line.mask)
        findings = find(Image(pet.data, pet.affine), Image(ct.data, ct.affine), weights)
        mask = mask_onto_box(Image(np.asarray(given.dataobj, np.float32), given.affine), findings.box) > 0.5
        found = np.maximum(findings.on_pet.max(0), findings.on_ct_with_pet.max(0)) > FOUND_SHARE
        both = (found & mask).sum()
        ml = findings.voxel_ml
        rows.append(
            {
                "found mL": found.sum() * ml,
                "mask mL": mask.sum() * ml,
                "Dice": 2 * both / max(found.sum() + mask.sum(), 1),
                "part of the mask found": both / max(mask.sum(), 1),
            }
        )
    table = pd.DataFrame(rows)
    middle = table.median().round(2).to_frame().T
    middle.insert(0, "patients", len(table))
    return middle


def definitions(patients: int) -> pd.DataFrame:
    """Return how the field's numbers of each definition agree with those of the true lesions on PET, over phantoms."""
    cohort = make_prrt_cohort(patients, volume_shape=(40, 30, 54), random_state=ENTROPY)
    masks = {"lesion": cohort.truth.pet_signal[:, None].astype(np.float32)}
    X = Cohort({scan: cohort.X[scan] for scan in ("pet", "ct")}, masks=masks)
    numbers = {name: LesionFeatures(lesions=name, numbers="field").fit_transform(X) for name in DEFINITIONS}
    truth, table = numbers.pop("mask"), []
    for name, found in numbers.items():
        line = {"lesions=": name}
        ratio = found["lesion_volume_ml"] / truth["lesion_volume_ml"]
        line["volume ratio"] = f"{ratio.median():.2f} ({ratio.quantile(0.1):.2f} to {ratio.quantile(0.9):.2f})"
        for column in AGREEMENT:
            line[column] = f"{spearmanr(found[column], truth[column], nan_policy='omit').statistic:.2f}"
        table.append(line)
    return pd.DataFrame(table)


def main() -> None:
    """Evaluate every setting and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("results-lesion-finder"))
    parser.add_argument("--patients", type=int, default=24)
    parser.add_argument("--weights", type=Path, default=None, help="folder of other weights")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--no-page", action="store_true", help="write CSV files into --out only")
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    weights = load_finder(options.weights)
    options.out.mkdir(parents=True, exist_ok=True)
    parts = []
    for name in SETTINGS:
        stem = "".join(letter if letter.isalnum() else "_" for letter in name)
        file = options.out / f"{stem}_{options.patients}_{weights.digest[:8]}.csv"
        if not file.exists():
            with atomic_write(file) as temporary:
                pd.DataFrame(evaluate(name, options.patients, weights)).to_csv(temporary, index=False)
        parts.append(pd.read_csv(file))
        print(name, flush=True)
    rows = pd.concat(parts, ignore_index=True)
    tables = {"settings": summary(rows), "strata": strata(rows), "definitions": definitions(options.patients)}
    if (options.data / "ct").is_dir():
        tables["organs"] = organs(options.data / "ct", weights)
    if (options.data / "sts").is_dir():
        tables["sarcomas"] = sarcomas(options.data / "sts", weights)
    for name, table in tables.items():
        print(table.to_string(index=False))
        place = options.out if options.no_page else DOCS
        table.to_csv(place / f"lesions_{name}.csv", index=False)
    if not options.no_page:
        page = DOCS / "lesions.md"
        text = page.read_text("utf-8")
        for name, table in tables.items():
            text = with_table(text, name, table)
        page.write_text(text, "utf-8")


def with_table(text: str, name: str, table: pd.DataFrame) -> str:
    """Return the page with a table between its marks."""
    cells = table.astype(str).replace("nan", "")
    lines = [
        "| " + " | ".join(row) + " |" for row in [list(table), ["---"] * table.shape[1], *cells.to_numpy().tolist()]
    ]
    mark = MARKS[0].format(name)
    before, rest = text.split(mark)
    return before + mark + "\n" + "\n".join(lines) + "\n\n" + MARKS[1] + rest.split(MARKS[1], 1)[1]


if __name__ == "__main__":
    main()
