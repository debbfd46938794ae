"""Constants of the lesion finder, measured on phantoms that no network was trained on, and its manifest."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy import ndimage
from sklearn.linear_model import LogisticRegression

from prrt_estimators._io import atomic_write, file_digest
from prrt_estimators.features._delineation import FOUND_SHARE, delineate
from prrt_estimators.features._field import label_lesions
from prrt_estimators.features._images import Image
from prrt_estimators.features._lesion_finder import find
from prrt_estimators.features._networks import SITES
from prrt_estimators.features._prognostic import REFERENCED, referenced_numbers
from prrt_estimators.features._training_phantoms import Setting, labelled_phantom
from prrt_estimators.features._weights import FinderWeights, _network
from prrt_estimators.phantoms._factors import CENTRES, draw_patient

ENTROPY, PHANTOMS = 5200, 240


def write_manifest(folder: Path, files: dict[str, Sequence[str]], made_by: str) -> str:
    """Measure the constants with the networks in a folder, write ``finder.json``, and return its digest.

    Parameters
    ----------
    folder : Path
    files : dict
        Names of the weight files of "pet_ct", "ct" and, where others see patients without CT, "pet".
    made_by : str
        What made the weights.
    """
    entries = {
        name: [{"name": one, "sha256": file_digest(folder / one)} for one in ones] for name, ones in files.items()
    }
    networks = {name: tuple(_network(name, folder, entry) for entry in ones) for name, ones in entries.items()}
    flat = {"pet": (0.0, 1.0, 0.0), "ct": (0.0, 1.0, 0.0)}
    both = networks["pet_ct"]
    weights = FinderWeights(both, networks["ct"], networks.get("pet", both), {}, flat, "")
    rows, lesions = [], {"pet": [], "ct": []}
    for number in range(PHANTOMS):
        patient = draw_patient(ENTROPY, number, len(CENTRES))
        phantom = labelled_phantom(patient, Setting(scanner=CENTRES[patient.centre]))
        pet, ct = Image(phantom.pet, phantom.grid.affine), Image(phantom.ct, phantom.grid.affine)
        findings = find(pet, ct, weights)
        rows.append(referenced_numbers(delineate("phantom", pet, ct, findings, flat).tumour))
        for scan, share, truth in (
            ("pet", findings.on_pet, phantom.lesion[: len(SITES)]),
            ("ct", findings.on_ct, phantom.lesion[len(SITES) :]),
        ):
            lesions[scan] += _found(share.max(0), truth.max(0), findings.voxel_ml)
    reference = {}
    for name in REFERENCED:
        values = np.array([row[name] for row in rows])
        reference[name] = [round(float(np.nanmean(values)), 5), round(float(np.nanstd(values)), 5)]
    manifest = {
        "format": 1,
        "made_by": made_by,
        "files": entries,
        "reference": reference,
        "confidence": {scan: _fit(np.array(found)) for scan, found in lesions.items()},
    }
    with atomic_write(folder / "finder.json") as temporary:
        temporary.write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")
    return file_digest(folder / "finder.json")


def _found(share: np.ndarray, truth: np.ndarray, voxel_ml: float) -> list[tuple[float, float, bool]]:
    labels = label_lesions(share > FOUND_SHARE, voxel_ml)
    index = np.arange(1, int(labels.max(initial=0)) + 1)
    if not len(index):
        return []
    top = np.clip(np.array(ndimage.maximum(share, labels, index)), 1e-3, 1 - 1e-3)
    volume = np.array(ndimage.sum(share, labels, index)) * voxel_ml
    real = np.array(ndimage.maximum(truth, labels, index)) > 0.1
    return list(zip(np.log(top / (1 - top)).tolist(), np.log(volume + 0.1).tolist(), real.tolist(), strict=True))


def _fit(found: np.ndarray) -> list[float]:
    fit = LogisticRegression(C=10.0).fit(found[:, :2], found[:, 2].astype(int))
    return [round(float(value), 4) for value in (fit.intercept_[0], *fit.coef_[0])]
