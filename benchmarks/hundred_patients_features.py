"""Numbers of lesions of the synthetic cohorts of benchmarks/hundred_patients.py, found once and stored.

    python benchmarks/hundred_patients_features.py --out results-hundred

One CSV per cohort. A run that was interrupted continues where it stopped; the cohorts of 116 that the main table needs come
first. The seeds, from 20000 on, played no part in any choice.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from prrt_estimators import Cohort, make_prrt_cohort
from prrt_estimators._io import atomic_write
from prrt_estimators.features._delineation import delineate
from prrt_estimators.features._images import Image, read_image
from prrt_estimators.features._lesion_finder import find
from prrt_estimators.features._prognostic import prognostic_numbers
from prrt_estimators.features._weights import load_finder
from prrt_estimators.phantoms import _ct, _factors, _pet
from prrt_estimators.phantoms._anatomy import build_anatomy
from prrt_estimators.phantoms._factors import draw_patient
from prrt_estimators.phantoms._lesions import lesion_share, place_lesions
from prrt_estimators.phantoms._phantom import patient_grid
from prrt_estimators.preprocessing import GlobalPETFeatures

SHAPE = (40, 30, 54)
SMALL, LARGE = range(20000, 20016), range(20100, 20106)
#: Share of a voxel above which a given mask holds it.
_MASK_SHARE = 0.35
#: A scanner that the finder never saw: blur of 9 mm, noise 2.2 times as strong.
_UNSEEN = {"psf_mm": 9.0, "pet_noise": 2.2, "ct_noise": 2.2}


@dataclass(frozen=True)
class Setting:
    """One way to make cohorts: name, patients, seeds, and what differs from the usual."""

    name: str
    patients: int
    seeds: range
    shape: tuple[int, int, int] = SHAPE
    options: dict[str, Any] = field(default_factory=dict)
    unseen: bool = False
    without: str = ""
    given: bool = False


SETTINGS = (
    Setting("n116", 116, SMALL, given=True),
    Setting("n400", 400, LARGE, given=True),
    Setting("centres", 116, SMALL[:4], options={"n_centres": 6}),
    Setting("unseen", 116, SMALL[:4], unseen=True),
    Setting("no_pet", 116, SMALL[:4], without="pet"),
    Setting("no_ct", 116, SMALL[:4], without="ct"),
    Setting("default", 116, SMALL[:4], shape=(48, 48, 48)),
    Setting("coarse", 116, SMALL[:4], shape=(28, 21, 38)),
)


def file_of(out: Path, setting: Setting, seed: int) -> Path:
    """Return where the numbers of one cohort are stored."""
    return out / "features" / f"{setting.name}_{seed}.csv"


def extract(setting: Setting, seed: int) -> pd.DataFrame:
    """Make one cohort and return its numbers: found, of given masks, and of the whole PET, a row per patient."""
    with unseen_scanner(setting.unseen):
        cohort = make_prrt_cohort(setting.patients, volume_shape=setting.shape, random_state=seed, **setting.options)
    X = cohort.X
    given = (cohort.truth.pet_signal.astype(np.float32), ct_masks(setting, seed)) if setting.given else None
    rows = [lesion_numbers(X, row, setting.without, given) for row in range(len(X))]
    table = pd.DataFrame(rows)
    if setting.without != "pet":
        whole = GlobalPETFeatures().fit_transform(X).add_prefix("global__").reset_index(drop=True)
        table = pd.concat([table, whole], axis=1)
    return table.set_axis(pd.Index(X.ids, name="patient_id"))


def lesion_numbers(X: Cohort, row: int, without: str, given: tuple[np.ndarray, np.ndarray] | None) -> dict[str, float]:
    """Return what `LesionFeatures` gives for one patient, of found lesions and of given masks; the finder runs once."""
    weights = load_finder()
    pet, ct = (None if name == without else read_image(X, row, name) for name in ("pet", "ct"))
    findings = find(pet, ct, weights)
    masks: dict[str, dict[str, Image | None]] = {"found": {}}
    if given is not None and pet is not None and ct is not None:
        masks["given"] = {"pet": Image(given[0][row], pet.affine), "ct": Image(given[1][row], ct.affine)}
    numbers = {}
    for name, own in masks.items():
        definition = "mask" if own else "phantom"
        tumour = delineate(definition, pet, ct, findings, weights.confidence, own).tumour
        numbers |= {f"{name}__{key}": value for key, value in prognostic_numbers(tumour, weights.reference).items()}
    return numbers


def ct_masks(setting: Setting, seed: int) -> np.ndarray:
    """Return the voxels that lesions visible on CT fill, as somebody who sees the CT alone would draw them."""
    masks = np.zeros((setting.patients, *setting.shape), dtype=np.float32)
    for k in range(setting.patients):
        patient = draw_patient(seed, k, setting.options.get("n_centres", 1))
        grid = patient_grid(patient, setting.shape, None)
        for lesion in place_lesions(patient, build_anatomy(patient, bowel=False)):
            if lesion.ct_visible:
                box, share, _ = lesion_share(grid, lesion.shape)
                masks[k][box] = np.maximum(masks[k][box], share > _MASK_SHARE)
    return masks


@contextmanager
def unseen_scanner(wanted: bool) -> Iterator[None]:
    """Render with a scanner outside the range that the finder was trained on."""
    before = _factors.CENTRES
    if wanted:
        _pet.CENTRES = _ct.CENTRES = (dataclasses.replace(before[0], **_UNSEEN), *before[1:])
    try:
        yield
    finally:
        _pet.CENTRES = _ct.CENTRES = before


def main() -> None:
    """Store what is not stored yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("results-hundred"))
    parser.add_argument("--settings", default=",".join(one.name for one in SETTINGS))
    parser.add_argument("--limit", type=int, default=None, help="cohorts per setting")
    parser.add_argument("--share", default="0/1", help="k/m: of the cohorts only each m-th, beginning with the k-th")
    options = parser.parse_args()
    (options.out / "features").mkdir(parents=True, exist_ok=True)
    wanted = options.settings.split(",")
    first, step = map(int, options.share.split("/"))
    for setting in (one for one in SETTINGS if one.name in wanted):
        for seed in setting.seeds[: options.limit][first::step]:
            target = file_of(options.out, setting, seed)
            if target.exists():
                continue
            begun = time.perf_counter()
            table = extract(setting, seed)
            with atomic_write(target) as temporary:
                table.to_csv(temporary)
            print(f"{target.name}: {len(table)} patients, {time.perf_counter() - begun:.0f} s", flush=True)


if __name__ == "__main__":
    main()
