"""The headers of one PET series: each quantity read once, checked over all slices, and noted down."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from prrt_estimators._arguments import or_pass
from prrt_estimators.dicom._elements import label, number, text, texts
from prrt_estimators.dicom._nuclides import nuclides_lasting
from prrt_estimators.dicom._suv_kinds import SUVKind
from prrt_estimators.dicom._tracers import Tracer, tracer_of
from prrt_estimators.dicom._vendor_factors import VendorFactor, factors_to, number_of, stored_scale
from prrt_estimators.exceptions import SUVError

#: A dose below is in MBq: no scan is done with 10 kBq, nor with 10 GBq. Of a smaller number than the least of the usual doses
#: in MBq, nobody can tell whether it is in MBq, mCi or GBq.
_MIN_DOSE_BQ = 1e4
#: A weight from here on is in g, a height above in cm.
_MAX_WEIGHT_KG, _MAX_HEIGHT_M = 1000.0, 3.0
#: Placeholders and slips of the unit lie outside of what is possible: no SUV follows from them.
_POSSIBLE_WEIGHT_KG, _POSSIBLE_DOSE_BQ = (10.0, 400.0), (1e6, 1e10)
_USUAL_DOSE_BQ = (20e6, 1.2e9)
#: kg/m2. A weight in pounds makes 55 of 25.
_USUAL_BODY_MASS_INDEX = (12.0, 50.0)


class PETHeaders:
    """What the headers of one series say about activity, and what the user says instead.

    Parameters
    ----------
    slices : list of pydicom datasets
        One a slice.
    given : dict of str to float
        Values by argument name (``weight_kg``, ``dose_bq``, ``half_life_s``) that stand in for the headers'.

    Attributes
    ----------
    used : list of str
        Arguments that were used.
    tags : dict
        Keyword to value of what was used.
    remarks : list of str
        What should be looked at.
    """

    def __init__(self, slices: list[Any], given: dict[str, float]):
        self.slices = slices
        self.given = given
        self.used: list[str] = []
        self.tags: dict[str, float | str] = {}
        self.remarks: list[str] = []
        self._pharmaceuticals: list[Any] = []

    def constant(self, factor: float) -> np.ndarray:
        """Return the same factor for every slice."""
        return np.full(len(self.slices), float(factor))

    def word(self, keyword: str) -> str:
        """Return an upper-case word that all slices share, '' where it is missing."""
        found = {text(header, keyword).upper() for header in self.slices}
        if len(found) > 1:
            told = ", ".join(sorted(word or "missing" for word in found))
            raise SUVError(f"{label(keyword)} differs between slices ({told}). Read one series at a time.")
        return found.pop()

    def check_attenuation(self) -> None:
        """Refuse a series that is not corrected for attenuation."""
        unknown = False
        for header in self.slices:
            if corrections := texts(header, "CorrectedImage"):
                corrected = "ATTN" in corrections
            elif told := text(header, "AttenuationCorrected").upper():
                corrected = told == "YES"
            else:
                method = text(header, "AttenuationCorrectionMethod").upper()
                corrected = method != "NONE"
                unknown = unknown or not method
            if not corrected:
                raise SUVError(
                    f"the series is not corrected for attenuation ({label('CorrectedImage')} has no ATTN), so its values "
                    "are not activity. Take the attenuation-corrected series."
                )
        if unknown:
            self.remarks.append(f"{label('CorrectedImage')} is empty, so attenuation correction is taken on trust")

    def weight(self) -> float:
        """Return the body weight in kg."""
        weight = self._positive("PatientWeight", "weight_kg", self.slices)
        if weight >= _MAX_WEIGHT_KG:
            self.remarks.append(f"{label('PatientWeight')} {weight:g} is taken as g, not kg")
            weight /= 1000
        self._check_possible("PatientWeight", "weight_kg", weight, _POSSIBLE_WEIGHT_KG, f"{weight:g} kg")
        if "weight_kg" not in self.given:
            self._check_build(weight)
        self.tags["PatientWeight"] = weight
        return weight

    def height(self) -> float:
        """Return the body height in m."""
        height = self._positive("PatientSize", None, self.slices)
        if height > _MAX_HEIGHT_M:
            self.remarks.append(f"{label('PatientSize')} {height:g} is taken as cm, not m")
            height /= 100
        self.tags["PatientSize"] = height
        return height

    def sex(self) -> str:
        """Return M, F or O."""
        sex = self.word("PatientSex")
        if sex not in ("M", "F", "O"):
            raise SUVError(
                f"{label('PatientSex')} is {'missing' if not sex else 'none of M, F and O'}, and the lean or ideal mass "
                "that the scanner normalised by depends on it. Correct the header, or export the series in Bq/mL."
            )
        self.tags["PatientSex"] = sex
        return sex

    def dose(self) -> float:
        """Return the dose at the time of injection in Bq."""
        dose = self._positive("RadionuclideTotalDose", "dose_bq", self.pharmaceuticals())
        if dose < _MIN_DOSE_BQ and "dose_bq" not in self.given:
            if dose * 1e6 < _USUAL_DOSE_BQ[0]:
                raise SUVError(
                    f"{label('RadionuclideTotalDose')} {dose:g} is not in Bq, and may be in MBq, mCi or GBq. Correct the "
                    f"header{or_pass('dose_bq')}."
                )
            self.remarks.append(f"{label('RadionuclideTotalDose')} {dose:g} is taken as MBq, not Bq")
            dose *= 1e6
        in_megabecquerel = f"{dose / 1e6:g} MBq"
        self._check_possible("RadionuclideTotalDose", "dose_bq", dose, _POSSIBLE_DOSE_BQ, in_megabecquerel)
        low, high = _USUAL_DOSE_BQ
        if not low <= dose <= high:
            self.remarks.append(f"{label('RadionuclideTotalDose')} {in_megabecquerel} is unusual")
        self.tags["RadionuclideTotalDose"] = dose
        return dose

    def _check_possible(
        self, keyword: str, argument: str, value: float, possible: tuple[float, float], written: str
    ) -> None:
        """Refuse a value that no patient has; what the user gives counts, and is remarked on."""
        if possible[0] <= value <= possible[1]:
            return
        what = f"{label(keyword)} {written} is not possible"
        if argument not in self.given:
            raise SUVError(f"{what}. Correct the header{or_pass(argument)}.")
        self.remarks.append(what)

    def _check_build(self, weight: float) -> None:
        """Remark on a weight that does not fit the height, where the header has one."""
        height = None
        with suppress(SUVError):  # no SUV by weight depends on a height that cannot be read
            height = self._same("PatientSize", self.slices)
        if height is None or height <= 0:
            return
        index = weight / (height / 100 if height > _MAX_HEIGHT_M else height) ** 2
        low, high = _USUAL_BODY_MASS_INDEX
        if not low <= index <= high:
            self.remarks.append(
                f"{label('PatientWeight')} {weight:g} kg and {label('PatientSize')} {height:g} give a body mass index of "
                f"{index:.0f}: one may be in another unit"
            )

    def half_life(self) -> float:
        """Return the half-life in s."""
        half_life = self._positive("RadionuclideHalfLife", "half_life_s", self.pharmaceuticals())
        self._check_nuclide(half_life)
        self.tags["RadionuclideHalfLife"] = half_life
        return half_life

    def half_life_if_told(self) -> float | None:
        """Return the half-life in s, None where it is missing and nothing depends on it."""
        value = self.given.get("half_life_s") or self._same("RadionuclideHalfLife", self.pharmaceuticals())
        return value if value is not None and value > 0 else None

    def _check_nuclide(self, half_life: float) -> None:
        """Refuse a half-life that is not that of the nuclide which the header names."""
        tracer = self.tracer()
        named = tracer.coded or tracer.written
        fitting = [one for one in named if one.lasts(half_life)]
        told = " and ".join(f"{one.name} ({one.half_life_s:g} s)" for one in named)
        if named and not fitting:
            what = f"half-life {half_life:g} s is not that of the nuclide that the header names, {told}"
            if "half_life_s" not in self.given:
                raise SUVError(
                    f"{label('RadionuclideHalfLife')} {half_life:g} s contradicts the nuclide that the header names, {told}. "
                    f"Correct the wrong one{or_pass('half_life_s')}."
                )
            self.remarks.append(what)
        elif len({*tracer.coded, *tracer.written}) > 1:
            names = ", ".join(dict.fromkeys(one.name for one in (*tracer.coded, *tracer.written)))
            self.remarks.append(f"code and name of the radiopharmaceutical name different nuclides ({names})")
        elif not named and not nuclides_lasting(half_life):
            self.remarks.append(
                f"{label('RadionuclideHalfLife')} {half_life:g} s is that of no nuclide that is known here"
            )

    def tracer(self) -> Tracer:
        """Return what was injected, as the first slice names it."""
        return tracer_of(self.pharmaceuticals()[0])

    def check_decay(self, decay: str) -> None:
        """Remark on a decay correction that two elements tell differently."""
        corrections = {tuple(texts(header, "CorrectedImage")) for header in self.slices} - {()}
        if any(("DECY" in words) == (decay == "NONE") for words in corrections):
            told = "DECY" if decay == "NONE" else "no DECY"
            self.remarks.append(
                f"{label('DecayCorrection')} is {decay} and {label('CorrectedImage')} has {told}: they contradict each "
                "other, and the first is followed"
            )

    def pharmaceuticals(self) -> list[Any]:
        """Return the item on the radiopharmaceutical of every slice."""
        if not self._pharmaceuticals:
            self._pharmaceuticals = [self._pharmaceutical(header) for header in self.slices]
        return self._pharmaceuticals

    def maker_factor(self, target: SUVKind) -> tuple[VendorFactor, np.ndarray] | None:
        """Return a maker's factor to SUV or activity of each slice, None where no slice has one; a zero counts as missing."""
        for row in factors_to(target):
            found = [number_of(row, header) for header in self.slices]
            if not any(found):
                continue
            if min(found) <= 0:
                raise SUVError(
                    f"the {row.maker} factor {row.place} is missing or not positive in some slices. Export the series "
                    "with its private elements."
                )
            return row, np.array(found)
        return None

    def stored_factor(self) -> np.ndarray | None:
        """Return what rescaled values are multiplied by where stored ones are SUVbw times a number of the maker's."""
        for row in factors_to(SUVKind.STORED_SUV):
            stored = {stored_scale(row, header) for header in self.slices}
            if stored == {None}:
                continue
            name = f"the {row.maker} element {row.place}"
            if len(stored) > 1:
                raise SUVError(f"{name} differs between slices. Export the series with its private elements.")
            scale = stored.pop()
            assert scale is not None
            slopes = np.array([number(header, "RescaleSlope", SUVError) or 1.0 for header in self.slices])
            if any(number(header, "RescaleIntercept", SUVError) for header in self.slices):
                raise SUVError(f"{name} needs values that start at 0, but {label('RescaleIntercept')} is another.")
            self.tags[row.tag] = f"stored values are SUVbw x {scale:g}"
            return 1.0 / (scale * slopes)
        return None

    @staticmethod
    def _pharmaceutical(header: Any) -> Any:
        items = header.get("RadiopharmaceuticalInformationSequence")
        if not items:
            raise SUVError(
                f"{label('RadiopharmaceuticalInformationSequence')} is missing, and with it dose, half-life and time of "
                "injection. Export the series without removing it."
            )
        if len(items) > 1:
            raise SUVError(
                f"{label('RadiopharmaceuticalInformationSequence')} holds {len(items)} radiopharmaceuticals, and which "
                "one the values belong to is not told. Keep the one that was imaged."
            )
        return items[0]

    def _same(self, keyword: str, headers: Sequence[Any]) -> float | None:
        found = {number(header, keyword, SUVError) for header in headers}
        if len(found) > 1:
            raise SUVError(f"{label(keyword)} differs between slices. Read one series of one patient at a time.")
        return found.pop()

    def _positive(self, keyword: str, argument: str | None, headers: Sequence[Any]) -> float:
        if argument in self.given:
            self.used.append(argument)
            return self.given[argument]
        value = self._same(keyword, headers)
        if value is None or value <= 0:
            state = "missing" if value is None else "zero" if value == 0 else "negative"
            otherwise = or_pass(argument) if argument else ""
            raise SUVError(
                f"{label(keyword)} is {state}, so SUVbw cannot be computed. Add it to the header{otherwise}."
            )
        return value
