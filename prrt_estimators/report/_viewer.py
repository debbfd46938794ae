"""Maps of several patients on one page that can be scrolled through, with everything inside the file."""

from __future__ import annotations

import base64
import json
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from prrt_estimators._io import atomic_write
from prrt_estimators._modalities import MODALITIES, uptake_in
from prrt_estimators.inspection import SaliencyMaps
from prrt_estimators.inspection._views import PatientView, patient_view

_READING = {
    "gradient": "The gradient tells how much the prediction would change if a voxel took up a little more or were a "
    "little denser; it is zero where the scan is beyond the window that the model sees.",
    "smoothgrad": "SmoothGrad is the mean gradient at noisy copies of the scan; it is zero where the scan is beyond the "
    "window that the model sees.",
    "integrated_gradients": "Integrated gradients share out the difference between the prediction and that for the "
    "baseline. They show uptake even of a model that learnt nothing: compare with a randomised one.",
    "gradcam": "Grad-CAM shows where a late layer of the model speaks for one class; its voxels are coarse.",
}
_METHODS = {
    "gradient": "gradient",
    "smoothgrad": "SmoothGrad",
    "integrated_gradients": "integrated gradients",
    "gradcam": "Grad-CAM",
}


def write_viewer(
    maps: SaliencyMaps,
    path: str | os.PathLike[str],
    *,
    X: Any = None,
    patients: Sequence[int | str] | None = None,
    voxels: int = 96,
    title: str = "Maps of PET and CT",
) -> Path:
    """Write a page in which the scans and maps of patients can be scrolled through.

    Three planes and a projection, by mouse wheel, keyboard, sliders and clicks. The page needs no other file and no
    network, and asks the browser to refuse both.

    Parameters
    ----------
    maps : SaliencyMaps
        From :func:`~prrt_estimators.inspection.saliency`.
    path : path
        The page.
    X : Cohort or mapping, default=None
        The patients of the maps. With it scans in files are shown at their own resolution, and masks outlined.
    patients : sequence of int or str, default=None
        Rows or ids; all by default. One patient takes about 1 MB with PET and CT at 96 voxels.
    voxels : int, default=96
        Along the longest axis.
    title : str, default="Maps of PET and CT"

    Returns
    -------
    Path
        The page.

    Raises
    ------
    ValueError
        If a patient has no map, or `patients` is empty.

    Examples
    --------
    >>> import tempfile
    >>> from prrt_estimators import PETPFSClassifier, make_prrt_cohort
    >>> from prrt_estimators.inspection import saliency
    >>> X, y = make_prrt_cohort(6, volume_shape=16, random_state=2, return_X_y=True)
    >>> clf = PETPFSClassifier(max_epochs=1, random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_viewer(saliency(clf, X), folder + "/maps.html", patients=[0, 3], voxels=16).name
    'maps.html'
    """
    chosen = range(len(maps.ids)) if patients is None else patients
    entries = [_entry(patient_view(maps, patient, X=X, voxels=voxels)) for patient in chosen]
    if not entries:
        raise ValueError("`patients` is empty; name at least one row or id.")
    environment = Environment(
        loader=PackageLoader("prrt_estimators", "report"), autoescape=True, undefined=StrictUndefined
    )
    # Inside a script nothing is escaped, so nothing may look like its end.
    data = json.dumps({"patients": entries}, allow_nan=False).replace("<", "\\u003c")
    page = environment.get_template("viewer.html").render(
        title=title,
        patients=[entry["patient"] for entry in entries],
        reading=_READING.get(maps.method, ""),
        data=Markup(data),
    )
    target = Path(path)
    with atomic_write(target) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return target


def _entry(view: PatientView) -> dict[str, Any]:
    arrays: dict[str, str] = {}
    windows: dict[str, dict[str, Any]] = {}
    for name, scan in view.scans.items():
        modality = MODALITIES[name]
        # Intensities that become black and white; finer steps than the screen has are of no use.
        low, high = modality.shown or (0.0, max(5.0, float(np.quantile(scan, 0.9995))))
        windows[name] = {
            "title": modality.title,
            "low": low,
            "high": high,
            "unit": modality.short_unit,
            "uptake": modality.uptake,
        }
        if modality.uptake:
            # Few voxels, often the bladder, are far above all others.
            windows[name]["usual"] = min(1.0, max(5.0, float(np.quantile(scan, 0.995))) / high)
        arrays[f"scan_{name}"] = _packed(255 * np.clip((scan - low) / (high - low), 0, 1))
    maps = {}
    for name, values in view.maps.items():
        scale = view.scale(name)
        maps[name] = {"scale": scale, "unit": view.units[name]}
        # 128 is zero, so that both signs have the same steps.
        arrays[f"map_{name}"] = _packed(128 + 127 * np.clip(values / scale, -1, 1))
    names = list(view.masks)[:8]
    if names:
        bits = [(view.masks[name] >= 0.5).astype(np.uint8) << bit for bit, name in enumerate(names)]
        arrays["masks"] = _packed(np.bitwise_or.reduce(bits))
    return {
        "patient": view.patient,
        "shape": list(next(iter(view.maps.values())).shape),
        "origin": view.affine[:3, 3].round(3).tolist(),
        "spacing": round(view.spacing, 4),
        "peak": list(view.peak()),
        "probability": round(view.probability, 4),
        "method": _METHODS.get(view.method, view.method),
        "signed": view.method in ("integrated_gradients", "gradcam"),
        "caution": view.caution,
        "scans": list(view.scans),
        "uptake": uptake_in(view.scans),
        "anatomy": next((name for name in view.scans if not MODALITIES[name].uptake), None),
        "windows": windows,
        "maps": maps,
        "masks": [name.replace("_", " ") for name in names],
        "arrays": arrays,
    }


def _packed(values: np.ndarray) -> str:
    return base64.b64encode(zlib.compress(np.rint(values).astype(np.uint8).tobytes(), 9)).decode("ascii")
