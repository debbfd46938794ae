"""What the rescaled values of a PET series are multiplied by to reach SUVbw."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from prrt_estimators.dicom._body import (
    ideal_weight,
    lean_mass_james,
    lean_mass_janmahasatian,
    lean_mass_morgan,
    surface_area,
)
from prrt_estimators.dicom._decay import (
    Moment,
    NegativeUptake,
    acquired,
    average_time,
    frame_duration,
    injection,
    scan_start,
)
from prrt_estimators.dicom._elements import as_number, instance, label, number, private, quiet, text, texts
from prrt_estimators.dicom._frames import frames_of
from prrt_estimators.exceptions import SUVError, SUVWarning

if TYPE_CHECKING:
    from pydicom import Dataset

_PHILIPS = "Philips PET Private Group"
#: Uptake times outside are remarked on, in minutes.
_USUAL_UPTAKE = (30.0, 120.0)
#: More half-lives than this between injection and scan leave no activity to measure.
_MOST_HALF_LIVES = 20
#: A dose below is in MBq: no scan is done with 10 kBq, nor with 10 GBq.
_LEAST_DOSE_BQ = 1e4
#: A weight above is in g, a height above in cm.
_MOST_WEIGHT_KG, _MOST_HEIGHT_M = 1000.0, 3.0


@dataclass(frozen=True, eq=False)
class SUVFactors:
    """How a PET series becomes SUVbw.

    Attributes
    ----------
    factors : ndarray of shape (n,)
        What the rescaled values (stored value * slope + intercept) of each slice are multiplied by to reach SUVbw in
        g/mL, in the order of the headers; of a multi-frame object one a frame.
    kind : str
        What the rescaled values are: ``"BQML"``, ``"GML/BW"``, ``"GML/LBM-James128"``, ``"GML/LBM-Janmahasatian"``,
        ``"GML/LBM-Morgan"``, ``"GML/IBW"``, ``"CM2ML"``, ``"CNTS/SUV factor"`` or ``"CNTS/activity factor"``.
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
    kind: str
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
        negative uptake time, counts without a factor, units that no SUV follows from, no attenuation correction.
    ValueError
        If an argument is not a positive number.

    Warns
    -----
    SUVWarning
        If the uptake time is under 30 or over 120 minutes, or an element was read in a unit other than the standard's.

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
    >>> round(result.factors[0], 8), result.uptake_minutes  # 75000 g / (150 MBq * 2 ** (-3600 / 4062.6))
    (0.00092416, 60.0)
    """
    given = {"weight_kg": weight_kg, "dose_bq": dose_bq, "half_life_s": half_life_s}
    for name, value in given.items():
        if value is not None and not (math.isfinite(value) and value > 0):
            raise ValueError(f"`{name}` must be a positive number; got {value}.")
    with quiet():
        slices = [frame for header in headers for frame in frames_of(header)]
        if not slices:
            raise SUVError("no header was given. Pass one dataset a slice.")
        result = _Series(slices, {name: value for name, value in given.items() if value is not None}).result()
    for remark in result.remarks:
        warnings.warn(remark[0].upper() + remark[1:] + ".", SUVWarning, stacklevel=2)
    return result


class _Series:
    """The headers of one series with what was read from them so far."""

    def __init__(self, slices: list[Any], given: dict[str, float]):
        self.slices = slices
        self.given = given
        self.used: list[str] = []
        self.pharmaceuticals: list[Any] = []
        self.tags: dict[str, float | str] = {}
        self.remarks: list[str] = []
        self.start: Moment | None = None
        self.injected: Moment | None = None

    def result(self) -> SUVFactors:
        self._check_attenuation()
        decay = self._same_text("DecayCorrection")
        kind, factors = self._kind(decay)
        uptake = self._uptake(kind, decay)
        for name in self.given:
            if name not in self.used:
                self.remarks.append(f"`{name}` was given but not used: the series is {kind} with {decay or 'no'} decay")
        return SUVFactors(
            factors=factors,
            kind=kind,
            decay_correction=decay,
            tags=self.tags,
            uptake_minutes=uptake,
            scan_start=self.start.when if self.start else None,
            scan_start_rule=self.start.source if self.start else "",
            injection_rule=self.injected.source if self.injected else "",
            given=tuple(self.used),
            remarks=tuple(self.remarks),
        )

    def _kind(self, decay: str) -> tuple[str, np.ndarray]:
        units = self._same_text("Units")
        if units == "BQML":
            return "BQML", self._per_activity(decay)
        if units == "GML":
            return self._normalised(self._same_text("SUVType"))
        if units == "CM2ML":
            suv_type = self._same_text("SUVType")
            if suv_type not in ("", "BSA"):
                raise SUVError(
                    f"{label('Units')} is CM2ML but {label('SUVType')} is {suv_type}: they contradict each other. "
                    "Export the series in Bq/mL."
                )
            weight, height = self._weight(), self._height()
            return "CM2ML", self._constant(weight * 1000 / (surface_area(weight, height) * 1e4))
        if units == "CNTS":
            return self._counts(decay)
        raise SUVError(
            f"{label('Units')} is {units or 'missing'}, from which no SUV follows; BQML, GML, CM2ML and Philips CNTS can "
            "be read. Export the series in Bq/mL."
        )

    def _normalised(self, suv_type: str) -> tuple[str, np.ndarray]:
        """Values in g/mL: what they were normalised by is divided out and body weight put in."""
        if suv_type in ("", "BW"):
            return "GML/BW", self._constant(1.0)
        formulas: dict[str, tuple[str, Callable[[float, float, str], float]]] = {
            "LBMJAMES128": ("GML/LBM-James128", lean_mass_james),
            "LBMJANMA": ("GML/LBM-Janmahasatian", lean_mass_janmahasatian),
            "LBM": ("GML/LBM-Morgan", lean_mass_morgan),
            "IBW": ("GML/IBW", lambda weight, height, sex: ideal_weight(height, sex)),
        }
        if suv_type not in formulas:
            raise SUVError(f"{label('SUVType')} is {suv_type}, which does not go with GML. Export the series in Bq/mL.")
        kind, formula = formulas[suv_type]
        weight, height, sex = self._weight(), self._height(), self._sex()
        measure = formula(weight, height, sex)
        if measure <= 0:
            raise SUVError(
                f"the {kind} of {label('PatientWeight')} {weight:g} kg and {label('PatientSize')} {height:g} m is not "
                "positive. Correct the header."
            )
        return kind, self._constant(weight / measure)

    def _counts(self, decay: str) -> tuple[str, np.ndarray]:
        """Counts of a Philips scanner, with its own factor to SUV or to activity."""
        to_suv = self._philips(0x00)
        to_activity = self._philips(0x09)
        suv_type = self._same_text("SUVType")
        # A weight or dose that the user corrects acts on activity only; the factor to SUV has the old one inside.
        if to_activity is not None and (to_suv is None or self.given):
            self._keep("PhilipsActivityConcentrationScaleFactor", to_activity)
            return "CNTS/activity factor", self._per_activity(decay) * to_activity
        if to_suv is None:
            raise SUVError(
                "Units (0054,1001) is CNTS and the series holds neither Philips factor, to SUV (7053,1000) or to Bq/mL "
                "(7053,1009). Export it with private elements, or in Bq/mL."
            )
        if suv_type not in ("", "BW"):
            raise SUVError(
                f"the Philips factor (7053,1000) gives SUVbw but {label('SUVType')} is {suv_type}: they contradict each "
                "other. Export the series in Bq/mL."
            )
        self._keep("PhilipsSUVScaleFactor", to_suv)
        return "CNTS/SUV factor", to_suv

    def _per_activity(self, decay: str) -> np.ndarray:
        weight = self._weight()
        dose = self._dose()
        if decay not in ("START", "ADMIN", "NONE"):
            raise SUVError(
                f"{label('DecayCorrection')} is {decay or 'missing'}; START, ADMIN or NONE is needed to know the time "
                "that the values belong to. Correct the header."
            )
        per_activity = weight * 1000 / dose
        if decay == "ADMIN":
            return self._constant(per_activity)
        half_life = self._half_life()
        rate = math.log(2) / half_life
        if decay == "START":
            self.start = scan_start(self.slices, half_life)
            seconds = np.full(len(self.slices), self._since_injection(self.start.when, half_life))
        else:
            began = [acquired(header) for header in self.slices]
            for header, when in zip(self.slices, began, strict=True):
                if when is None:
                    raise SUVError(
                        f"{label('AcquisitionTime')} of {instance(header)} is missing, and with DecayCorrection NONE each "
                        "slice belongs to its own time. Export the series with its times."
                    )
            times = [when for when in began if when is not None]
            self.start = Moment(min(times), "acquisition time")
            since = self._since_injection(self.start.when, half_life)
            seconds = np.array(
                [
                    since + (when - self.start.when).total_seconds() + average_time(half_life, frame_duration(header))
                    for header, when in zip(self.slices, times, strict=True)
                ]
            )
        if seconds.max() > _MOST_HALF_LIVES * half_life:
            raise SUVError(
                f"{seconds.max() / half_life:.0f} half-lives lie between injection and scan, so no activity is left. "
                f"Check {label('RadionuclideHalfLife')}, which is in seconds, and the time of injection."
            )
        return per_activity * np.exp(rate * seconds)

    def _since_injection(self, when: datetime, half_life: float | None) -> float:
        self.injected = injection(self._pharmaceutical(), when, half_life)
        return (when - self.injected.when).total_seconds()

    def _uptake(self, kind: str, decay: str) -> float | None:
        """Return the uptake time in minutes, which where the factors need no times may stay unknown."""
        if self.start is None or self.injected is None:
            try:
                half_life = self._optional_half_life()
                self.start = scan_start(self.slices, half_life or 1.0)
                self._since_injection(self.start.when, half_life)
            except NegativeUptake:
                if kind in ("BQML", "CNTS/activity factor"):
                    raise
                self.start = self.injected = None
                self.remarks.append("the injection lies after the start of the scan; the scanner's own SUV is taken")
                return None
            except SUVError:
                self.start = self.injected = None
                return None
        assert self.start is not None and self.injected is not None
        self.remarks += [*self.start.remarks, *self.injected.remarks]
        minutes = (self.start.when - self.injected.when).total_seconds() / 60
        low, high = _USUAL_UPTAKE
        if not low <= minutes <= high:
            self.remarks.append(f"the uptake time is {minutes:.0f} min, outside {low:g} to {high:g} min")
        return minutes

    def _check_attenuation(self) -> None:
        unknown = 0
        for header in self.slices:
            corrections = texts(header, "CorrectedImage")
            if corrections:
                corrected = "ATTN" in corrections
            elif told := text(header, "AttenuationCorrected").upper():
                corrected = told == "YES"
            else:
                method = text(header, "AttenuationCorrectionMethod").upper()
                unknown += not method
                corrected = method != "NONE"
            if not corrected:
                raise SUVError(
                    f"the series is not corrected for attenuation ({label('CorrectedImage')} has no ATTN), so its values "
                    "are no activity. Take the attenuation-corrected series."
                )
        if unknown:
            self.remarks.append(f"{label('CorrectedImage')} is empty, so attenuation correction is taken on trust")

    def _same_text(self, keyword: str) -> str:
        found = {text(header, keyword).upper() for header in self.slices}
        if len(found) > 1:
            raise SUVError(
                f"{label(keyword)} differs between slices ({', '.join(sorted(word or 'missing' for word in found))}). "
                "Read one series at a time."
            )
        return found.pop()

    def _same_number(self, keyword: str, headers: Sequence[Any] | None = None) -> float | None:
        found = {number(header, keyword, SUVError) for header in (self.slices if headers is None else headers)}
        if len(found) > 1:
            raise SUVError(f"{label(keyword)} differs between slices. Read one series of one patient at a time.")
        return found.pop()

    def _positive(self, keyword: str, argument: str | None, headers: Sequence[Any] | None = None) -> float:
        if argument in self.given:
            if argument not in self.used:
                self.used.append(argument)
            return self.given[argument]
        value = self._same_number(keyword, headers)
        if value is None or value <= 0:
            state = "missing" if value is None else "zero" if value == 0 else "negative"
            remedy = f"Add it to the header, or pass `{argument}`" if argument else "Add it to the header"
            raise SUVError(f"{label(keyword)} is {state}, so SUVbw cannot be computed. {remedy}.")
        return value

    def _weight(self) -> float:
        weight = self._positive("PatientWeight", "weight_kg")
        if weight >= _MOST_WEIGHT_KG:
            self.remarks.append(f"{label('PatientWeight')} {weight:g} is taken as g, not kg")
            weight /= 1000
        return self._keep("PatientWeight", weight)

    def _height(self) -> float:
        height = self._positive("PatientSize", None)
        if height > _MOST_HEIGHT_M:
            self.remarks.append(f"{label('PatientSize')} {height:g} is taken as cm, not m")
            height /= 100
        return self._keep("PatientSize", height)

    def _sex(self) -> str:
        sex = self._same_text("PatientSex")
        if sex not in ("", "M", "F", "O"):
            raise SUVError(f"{label('PatientSex')} must be M, F or O to undo a normalisation by lean mass. Correct it.")
        if not sex:
            self.remarks.append(f"{label('PatientSex')} is missing; the mean of the formulas for M and F is used")
        self.tags["PatientSex"] = sex
        return sex or "O"

    def _dose(self) -> float:
        dose = self._positive("RadionuclideTotalDose", "dose_bq", self._pharmaceuticals())
        if dose < _LEAST_DOSE_BQ and "dose_bq" not in self.given:
            self.remarks.append(f"{label('RadionuclideTotalDose')} {dose:g} is taken as MBq, not Bq")
            dose *= 1e6
        return self._keep("RadionuclideTotalDose", dose)

    def _half_life(self) -> float:
        return self._keep(
            "RadionuclideHalfLife", self._positive("RadionuclideHalfLife", "half_life_s", self._pharmaceuticals())
        )

    def _optional_half_life(self) -> float | None:
        value = self.given.get("half_life_s") or self._same_number("RadionuclideHalfLife", self._pharmaceuticals())
        return value if value is not None and value > 0 else None

    def _pharmaceutical(self) -> Any:
        return self._pharmaceuticals()[0]

    def _pharmaceuticals(self) -> list[Any]:
        """Return the item on the radiopharmaceutical of every slice."""
        if self.pharmaceuticals:
            return self.pharmaceuticals
        for header in self.slices:
            items = header.get("RadiopharmaceuticalInformationSequence")
            if not items:
                raise SUVError(
                    f"{label('RadiopharmaceuticalInformationSequence')} is missing, and with it dose, half-life and time "
                    "of injection. Export the series without removing it."
                )
            if len(items) > 1:
                raise SUVError(
                    f"{label('RadiopharmaceuticalInformationSequence')} holds {len(items)} radiopharmaceuticals, and "
                    "which one the values belong to is not told. Keep the one that was imaged."
                )
            self.pharmaceuticals.append(items[0])
        return self.pharmaceuticals

    def _philips(self, element: int) -> np.ndarray | None:
        """Return a factor of each slice, None where no slice has it; a zero counts as missing."""
        found = []
        for header in self.slices:
            try:
                found.append(as_number(private(header, 0x7053, _PHILIPS, element)) or 0.0)
            except ValueError:
                found.append(0.0)
        if not any(found):
            return None
        if min(found) <= 0:
            raise SUVError(f"the Philips factor (7053,10{element:02x}) is missing or not positive in some slices.")
        return np.array(found)

    def _constant(self, factor: float) -> np.ndarray:
        return np.full(len(self.slices), float(factor))

    def _keep(self, keyword: str, value: Any) -> Any:
        """Note a value that was used; of values that differ by slice, the first."""
        self.tags[keyword] = float(np.ravel(value)[0])
        return value
