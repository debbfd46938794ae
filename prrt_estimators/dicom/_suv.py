"""What the rescaled values of a PET series are multiplied by to reach SUVbw."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from prrt_estimators._dataset import ShortRepr
from prrt_estimators._extras import quiet_pydicom
from prrt_estimators.dicom._body_measures import (
    ideal_weight,
    lean_mass_james,
    lean_mass_janmahasatian,
    lean_mass_morgan,
    surface_area,
)
from prrt_estimators.dicom._decay import Moment, NegativeUptake, acquired, average_moment, injection, scan_start
from prrt_estimators.dicom._elements import label, whole_series
from prrt_estimators.dicom._multiframe import frames_of
from prrt_estimators.dicom._pet_headers import PETHeaders
from prrt_estimators.dicom._suv_kinds import SUVKind
from prrt_estimators.dicom._vendor_factors import VENDOR_FACTORS, VendorFactor
from prrt_estimators.exceptions import SUVError, SUVWarning

if TYPE_CHECKING:
    from pydicom import Dataset

#: Uptake times outside are remarked on, in minutes.
_USUAL_UPTAKE = (30.0, 120.0)
#: More half-lives than this between injection and scan leave no activity to measure.
_MAX_HALF_LIVES = 20
#: What a scanner normalised by, by SUV type: kind, and the mass in kg from weight, height and sex.
_NORMALISED_BY: dict[str, tuple[SUVKind, Callable[[float, float, str], float]]] = {
    "LBMJAMES128": (SUVKind.LEAN_JAMES, lean_mass_james),
    "LBMJANMA": (SUVKind.LEAN_JANMAHASATIAN, lean_mass_janmahasatian),
    "LBM": (SUVKind.LEAN_MORGAN, lean_mass_morgan),
    "IBW": (SUVKind.IDEAL_WEIGHT, lambda _, height, sex: ideal_weight(height, sex)),
}


@dataclass(frozen=True, eq=False, repr=False)
class SUVFactors(ShortRepr):
    """How a PET series becomes SUVbw.

    Attributes
    ----------
    factors : ndarray of shape (n,)
        What the rescaled values (stored value * slope + intercept) of each slice are multiplied by to reach SUVbw in
        g/mL, in the order of the headers; of a multi-frame object one a frame.
    kind : SUVKind
        What the rescaled values are, an enumeration of texts: ``"BQML"``, ``"GML/BW"``, ``"GML/LBM-James128"``, ``"GML/LBM-Janmahasatian"``,
        ``"GML/LBM-Morgan"``, ``"GML/IBW"``, ``"CM2ML"``, ``"CNTS/SUV factor"``, ``"CNTS/activity factor"`` or
        ``"CANON/SUV x 100"``.
    decay_correction : str
        ``"START"``, ``"ADMIN"`` or ``"NONE"``; ``""`` where the header does not say and nothing depends on it.
    tags : dict
        Keyword to value of what the factors were computed from, in the units of the computation (kg, m, Bq, s). No
        dates and nothing of the patient's identity.
    uptake_minutes : float or None
        From injection to the start of the scan; None where the times are not told and nothing depends on them.
    scan_start : datetime or None
        To which the dose is decayed; with ``NONE``, when the first slice was acquired. Not shown when printed.
    scan_start_rule : str
        The elements that the scan start came from.
    injection_rule : str
        The element that the time of injection came from.
    given : tuple of str
        Arguments that stood in for elements of the header.
    remarks : tuple of str
        What should be looked at; each was also given as an `SUVWarning`.
    """

    factors: np.ndarray
    kind: SUVKind
    decay_correction: str
    tags: dict[str, float | str]
    uptake_minutes: float | None = None
    scan_start: datetime | None = field(default=None, repr=False)
    scan_start_rule: str = ""
    injection_rule: str = ""
    given: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def suv_factors(
    headers: Sequence[Dataset],
    *,
    weight_kg: float | None = None,
    dose_bq: float | None = None,
    half_life_s: float | None = None,
) -> SUVFactors:
    """Return what the rescaled values of each slice are multiplied by to reach SUVbw.

    With activity concentration A in Bq/mL, weight W in g, injected dose D in Bq and decay constant
    :math:`\\lambda = \\ln 2 / T_{1/2}`,

    .. math::

        \\mathrm{SUV_{bw}} = \\frac{A\\,W}{D\\,e^{-\\lambda (t_{start} - t_{inj})}} \\;(\\mathrm{START}),\\quad
        \\frac{A\\,W}{D} \\;(\\mathrm{ADMIN}),\\quad
        \\frac{A\\,W}{D}\\,e^{\\lambda (t_{acq} - t_{inj} + t_{avg})} \\;(\\mathrm{NONE}).

    Values that the scanner already normalised (by lean body mass, ideal weight or surface area) are brought back to
    body weight with the formula that the scanner used.

    Parameters
    ----------
    headers : sequence of pydicom datasets, length n
        One a slice, of one series, in any order; pixels are not needed. A multi-frame object counts for its frames.
    weight_kg : float, default=None
        Weight to use instead of the header's, for a header that lacks it or has it wrong.
    dose_bq : float, default=None
        Dose at the time of injection in Bq, instead of the header's.
    half_life_s : float, default=None
        Half-life in s, instead of the header's.

    Returns
    -------
    SUVFactors

    Raises
    ------
    SUVError
        If what the factors need is missing, zero or contradictory: weight, dose, half-life, both times of injection, a
        negative uptake time, a half-life that is not the nuclide's, times of injection that contradict each other or were
        replaced by 000000, counts without a factor, units that no SUV follows from, no attenuation correction.
    ValueError
        If an argument is not a positive number.

    Warns
    -----
    SUVWarning
        If the uptake time is under 30 or over 120 minutes, an element was read in a unit other than the standard's, or
        elements that nothing depends on contradict each other.

    References
    ----------
    Image Biomarker Standardisation Initiative, Comprehensive manual for SUV computation and digital reference objects.
    DICOM PS3.3, C.8.9.1 and C.8.9.4 (PET series and image modules).

    Examples
    --------
    >>> from pydicom import Dataset
    >>> dose = Dataset()
    >>> dose.RadionuclideTotalDose, dose.RadionuclideHalfLife = 150e6, 4062.6
    >>> dose.RadiopharmaceuticalStartTime = "090000"
    >>> header = Dataset()
    >>> header.Units, header.DecayCorrection, header.CorrectedImage = "BQML", "START", ["DECY", "ATTN"]
    >>> header.PatientWeight, header.SeriesDate, header.SeriesTime = 75, "20240105", "100000"
    >>> header.RadiopharmaceuticalInformationSequence = [dose]
    >>> result = suv_factors([header])
    >>> round(float(result.factors[0]), 8), result.uptake_minutes  # 75000 g / (150 MBq * 2 ** (-3600 / 4062.6))
    (0.00092411, 60.0)
    """
    result = compute_factors(headers, weight_kg=weight_kg, dose_bq=dose_bq, half_life_s=half_life_s)
    warn_of(result, stacklevel=3)
    return result


def compute_factors(headers: Sequence[Dataset], **given: float | None) -> SUVFactors:
    """Return what `suv_factors` returns, and leave the warnings to the caller."""
    check_given(**given)
    with quiet_pydicom(), whole_series("the header of the PET series", SUVError):
        slices = [frame for header in headers for frame in frames_of(header)]
        if not slices:
            raise SUVError("no header was given. Pass one dataset a slice.")
        return _factors(PETHeaders(slices, {name: value for name, value in given.items() if value is not None}))


def check_given(**given: float | None) -> None:
    """Refuse an argument that is not a positive number."""
    for name, value in given.items():
        if value is not None and not (math.isfinite(value) and value > 0):
            raise ValueError(f"`{name}` must be a positive number; got {value}.")


def warn_of(result: SUVFactors, stacklevel: int) -> None:
    """Give each remark as a warning at the line of the user."""
    for remark in result.remarks:
        warnings.warn(f"{remark}.", SUVWarning, stacklevel=stacklevel)


def _factors(series: PETHeaders) -> SUVFactors:
    series.check_attenuation()
    decay = series.word("DecayCorrection")
    series.check_decay(decay)
    units = series.word("Units")
    start = injected = None
    stored = series.stored_factor()
    kind: SUVKind
    if stored is not None:
        kind, factors = SUVKind.STORED_SUV, stored
    elif units == "BQML":
        kind = SUVKind.ACTIVITY
        factors, start, injected = _per_activity(series, decay)
    elif units == "CNTS":
        kind, factors, start, injected = _counts(series, decay)
    elif units == "GML":
        kind, factors = _normalised(series)
    elif units == "CM2ML":
        kind, factors = _by_surface(series)
    else:
        raise SUVError(
            f"{label('Units')} is {units or 'missing'}, from which no SUV follows; BQML, GML, CM2ML and Philips CNTS can be "
            "read. Export the series in Bq/mL."
        )
    if start is None:
        start, injected = _times_if_told(series, must_fit=kind.is_activity)
    uptake = _uptake(series, start, injected)
    series.remarks += [
        f"`{name}` was given but not used: the scanner already normalised the values ({kind})"
        if not kind.is_activity
        else f"`{name}` was given but not used: nothing depends on it with DecayCorrection {decay}"
        for name in series.given
        if name not in series.used
    ]
    return SUVFactors(
        factors=factors,
        kind=kind,
        decay_correction=decay,
        tags=series.tags,
        uptake_minutes=uptake,
        scan_start=start.when if start else None,
        scan_start_rule=start.source if start else "",
        injection_rule=injected.source if injected else "",
        given=tuple(series.used),
        remarks=tuple(series.remarks),
    )


def _per_activity(series: PETHeaders, decay: str) -> tuple[np.ndarray, Moment | None, Moment | None]:
    """Return what an activity concentration in Bq/mL is multiplied by, the scan start and the injection."""
    per_activity = series.weight() * 1000 / series.dose()
    if decay not in ("START", "ADMIN", "NONE"):
        raise SUVError(
            f"{label('DecayCorrection')} is {decay or 'missing'}; START, ADMIN or NONE is needed to know the time that the "
            "values belong to. Correct the header."
        )
    if decay == "ADMIN":
        return series.constant(per_activity), None, None
    half_life = series.half_life()
    if decay == "START":
        start = scan_start(series.slices, half_life)
        moments = [start.when] * len(series.slices)
    else:
        moments = [average_moment(header, half_life) for header in series.slices]
        known = [moment for header in series.slices if (moment := acquired(header)) is not None]
        start = Moment(min(known or moments), "acquisition time")
    injected = injection(series.slices[0], series.pharmaceuticals()[0], start.when, half_life)
    if (start.measured_from or start.when) - injected.when < timedelta(seconds=1):
        raise SUVError(
            "injection and scan have the same time, as programs write it in place of times that they remove. Export the "
            "series with its times."
        )
    seconds = np.array([(moment - injected.when).total_seconds() for moment in moments])
    if seconds.max() > _MAX_HALF_LIVES * half_life:
        raise SUVError(
            f"{seconds.max() / half_life:.0f} half-lives lie between injection and scan, so no activity is left. Check "
            f"{label('RadionuclideHalfLife')}, which is in seconds, and the time of injection."
        )
    return per_activity * np.exp(math.log(2) / half_life * seconds), start, injected


def _normalised(series: PETHeaders) -> tuple[SUVKind, np.ndarray]:
    """Values in g/mL: what they were normalised by is divided out, and body weight put in."""
    suv_type = series.word("SUVType")
    if suv_type in ("", "BW"):
        return SUVKind.BODY_WEIGHT, series.constant(1.0)
    if suv_type not in _NORMALISED_BY:
        raise SUVError(f"{label('SUVType')} is {suv_type}, which does not go with GML. Export the series in Bq/mL.")
    kind, formula = _NORMALISED_BY[suv_type]
    weight, height = series.weight(), series.height()
    mass = formula(weight, height, series.sex())
    if mass <= 0:
        raise SUVError(
            f"{label('PatientWeight')} {weight:g} kg and {label('PatientSize')} {height:g} m give no positive mass by the "
            f"formula of {kind}. Correct the header."
        )
    return kind, series.constant(weight / mass)


def _by_surface(series: PETHeaders) -> tuple[SUVKind, np.ndarray]:
    suv_type = series.word("SUVType")
    if suv_type not in ("", "BSA"):
        raise SUVError(
            f"{label('Units')} is CM2ML but {label('SUVType')} is {suv_type}: they contradict each other. Export the series "
            "in Bq/mL."
        )
    weight, height = series.weight(), series.height()
    return SUVKind.BODY_SURFACE, series.constant(weight * 1000 / (surface_area(weight, height) * 1e4))


def _counts(series: PETHeaders, decay: str) -> tuple[SUVKind, np.ndarray, Moment | None, Moment | None]:
    """Counts, brought to activity or SUV by the scanner's own factor."""
    to_activity = series.maker_factor(SUVKind.COUNTS_TO_ACTIVITY)
    to_suv = series.maker_factor(SUVKind.COUNTS_TO_SUV)
    if to_activity is not None:
        # The manual takes activity where both are there: the factor to SUV has the scanner's weight and dose inside.
        try:
            factors, start, injected = _per_activity(series, decay)
        except SUVError as error:
            if to_suv is None:
                raise
            series.tags.clear()
            series.used.clear()
            series.remarks.append(
                f"the {to_activity[0].maker} factor to SUV is taken, as the factor to Bq/mL cannot be used ({error})"
            )
            return SUVKind.COUNTS_TO_SUV, *_own_suv(series, *to_suv)
        row, per_count = to_activity
        series.tags[row.tag] = float(per_count[0])
        return SUVKind.COUNTS_TO_ACTIVITY, factors * per_count, start, injected
    if to_suv is None:
        known = {SUVKind.COUNTS_TO_SUV: "SUV", SUVKind.COUNTS_TO_ACTIVITY: "Bq/mL"}
        told = ", ".join(
            f"{one.maker} to {known[one.target]} {one.place}" for one in VENDOR_FACTORS if one.target in known
        )
        raise SUVError(
            f"{label('Units')} is CNTS and the series holds none of the factors of makers ({told}). Export it with private "
            "elements, or in Bq/mL."
        )
    return SUVKind.COUNTS_TO_SUV, *_own_suv(series, *to_suv)


def _own_suv(series: PETHeaders, row: VendorFactor, to_suv: np.ndarray) -> tuple[np.ndarray, None, None]:
    suv_type = series.word("SUVType")
    if suv_type not in ("", "BW"):
        raise SUVError(
            f"the {row.maker} factor {row.place} gives SUVbw but {label('SUVType')} is {suv_type}: they contradict each other. "
            "Export the series in Bq/mL."
        )
    series.tags[row.tag] = float(to_suv[0])
    return to_suv, None, None


def _times_if_told(series: PETHeaders, must_fit: bool) -> tuple[Moment | None, Moment | None]:
    """Return scan start and injection of a series whose factors need neither, None where they are not told."""
    try:
        half_life = series.half_life_if_told()
        start = scan_start(series.slices, half_life or 1.0)
        return start, injection(series.slices[0], series.pharmaceuticals()[0], start.when, half_life)
    except NegativeUptake:
        if must_fit:
            raise
        series.remarks.append("the injection lies after the start of the scan; the scanner's own SUV is taken")
    except SUVError:
        pass
    return None, None


def _uptake(series: PETHeaders, start: Moment | None, injected: Moment | None) -> float | None:
    """Return the uptake time in minutes and remark on what is odd about it."""
    if start is None or injected is None:
        return None
    series.remarks += [*start.remarks, *injected.remarks]
    minutes = ((start.measured_from or start.when) - injected.when).total_seconds() / 60
    low, high = _USUAL_UPTAKE
    if not low <= minutes <= high:
        series.remarks.append(f"the uptake time is {minutes:.0f} min, outside {low:g} to {high:g} min")
    return minutes
