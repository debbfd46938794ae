"""What a volume was made from: an allow-list of tags, none of which says who or when."""

from __future__ import annotations

from typing import Any

from prrt_estimators._date_forms import has_date
from prrt_estimators.ingest._identifying_words import without_words, words_elsewhere
from prrt_estimators.ingest._identity_search import IdentitySearch
from prrt_estimators.ingest._privacy import Identity

#: Nothing else of a header is passed on. No dates, times, names, numbers of studies or devices, descriptions, comments.
ALLOWED = (
    "Modality", "SOPClassUID", "ImageType", "Manufacturer", "ManufacturerModelName", "SoftwareVersions",
    "PatientPosition", "Rows", "Columns", "PixelSpacing", "SliceThickness", "ReconstructionDiameter",
    "Units", "SUVType", "DecayCorrection", "CorrectedImage", "AttenuationCorrectionMethod", "ScatterCorrectionMethod",
    "RandomsCorrectionMethod", "ReconstructionMethod", "SeriesType", "CountsSource", "ActualFrameDuration",
    "Radiopharmaceutical", "RadionuclideTotalDose", "RadionuclideHalfLife",
    "KVP", "ConvolutionKernel", "FilterType", "GantryDetectorTilt", "ScanOptions", "SpiralPitchFactor",
    "ExposureModulationType",
)  # fmt: skip
_MAX_MONTHS = 200
#: Of those, what an archive or a technician may have written.
_FREE = (
    "ImageType", "Manufacturer", "ManufacturerModelName", "SoftwareVersions", "ReconstructionMethod", "ScatterCorrectionMethod",
    "AttenuationCorrectionMethod", "RandomsCorrectionMethod", "Radiopharmaceutical", "ConvolutionKernel", "FilterType",
    "ScanOptions", "ExposureModulationType",
)  # fmt: skip


def tags_of(header: Any, identity: Identity | IdentitySearch) -> dict[str, str]:
    """Return the allowed tags of a header as text; one that names somebody, or a date, is left out.

    Words that also stand in elements about the place, the device or the person, nested and private ones too, are taken
    out: a model may be called after its hospital.

    Examples
    --------
    >>> from pydicom import Dataset
    >>> header = Dataset()
    >>> header.Modality, header.PatientName, header.StudyDate = "PT", "Doe^Jane", "20200101"
    >>> tags_of(header, Identity())
    {'Modality': 'PT'}
    """
    places = [header, *_items(header, "RadiopharmaceuticalInformationSequence")]
    found = {}
    told = words_elsewhere(header, ALLOWED)
    for keyword in ALLOWED:
        for place in places:
            text = _text(place, keyword)
            if keyword in _FREE:
                text = without_words(text, told)
                text = "" if has_date(text) else text
            if text and len(text) <= _MAX_MONTHS and not identity.kinds_in(text):
                found[keyword] = text
                break
    return found


def _items(header: Any, keyword: str) -> list[Any]:
    try:
        return list(header.get(keyword) or [])
    except (TypeError, ValueError, NotImplementedError):
        return []


def _text(header: Any, keyword: str) -> str:
    try:
        value = header.get(keyword)
        if value is None or value == "":
            return ""
        if keyword == "SOPClassUID":
            return str(value.name)
        return "\\".join(map(str, value)) if not isinstance(value, str) and hasattr(value, "__iter__") else str(value)
    except (TypeError, ValueError, AttributeError, NotImplementedError):
        return ""


def suv_record(suv: Any) -> dict[str, Any]:
    """Return how a PET became SUVbw: factors, tags and the uptake time, without a date."""
    low, high = float(suv.factors.min()), float(suv.factors.max())
    return {
        "kind": suv.kind,
        "decay_correction": suv.decay_correction,
        "uptake_minutes": None if suv.uptake_minutes is None else round(float(suv.uptake_minutes), 2),
        "factor_range": [low, high],
        "tags": {name: value for name, value in suv.tags.items() if isinstance(value, (int, float)) or len(value) < 40},
        "scan_start_from": suv.scan_start_rule,
        "injection_from": suv.injection_rule,
        "given_by_table": [name for name in suv.given if name == "weight_kg"],
    }


def grid_record(image: Any) -> dict[str, Any]:
    """Return shape and spacing of a volume."""
    zooms = [round(float(size), 4) for size in image.header.get_zooms()[:3]]
    return {"shape": [int(n) for n in image.shape], "spacing_mm": zooms}
