"""Multi-frame (enhanced) objects as one header per frame, with the elements that single-slice objects have.

DICOM PS3.3 C.7.6.16: what all frames share lies in one sequence of groups, what differs in another.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prrt_estimators.dicom._elements import instance, number, text
from prrt_estimators.exceptions import ScannerFileError

_GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
#: Elements taken from each group, with the keyword of a single-slice object where that is another.
_TAKEN = {
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness", "SpacingBetweenSlices"),
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept", "RescaleType"),
    "FrameContentSequence": (
        "FrameReferenceDateTime",
        "TemporalPositionIndex",
        ("FrameAcquisitionDateTime", "AcquisitionDateTime"),
        ("FrameAcquisitionDuration", "ActualFrameDuration"),
    ),
    "CardiacSynchronizationSequence": ("NominalPercentageOfCardiacPhase",),
    "RespiratorySynchronizationSequence": ("NominalPercentageOfRespiratoryPhase",),
    "CTImageFrameTypeSequence": ("FrameType",),
    "PETFrameTypeSequence": ("FrameType",),
}
#: Elements of a converted object that single-slice objects had and no group has.
_CONVERTED = ("UnassignedSharedConvertedAttributesSequence", "UnassignedPerFrameConvertedAttributesSequence")
#: Units of a real-world mapping (UCUM), as Units and SUV type; the first that an object offers is used.
_UNITS = {
    "{SUVBW}G/ML": ("GML", "BW"),
    "BQ/ML": ("BQML", ""),
    "G/ML": ("GML", ""),
    "{SUVLBM(JAMES128)}G/ML": ("GML", "LBMJAMES128"),
    "{SUVLBM(JANMA)}G/ML": ("GML", "LBMJANMA"),
    "{SUVLBM}G/ML": ("GML", "LBM"),
    "{SUVIBW}G/ML": ("GML", "IBW"),
    "{SUVBSA}CM2/ML": ("CM2ML", "BSA"),
    "CM2/ML": ("CM2ML", ""),
    "{PROPCOUNTS}": ("PROPCNTS", ""),
    "{COUNTS}": ("CNTS", ""),
}


def frames_of(header: Any) -> list[Any]:
    """Return one header per frame; a single-slice header, and that of a frame, as it is.

    Parameters
    ----------
    header : pydicom dataset
        Pixels are not needed.

    Returns
    -------
    list of pydicom datasets

    Raises
    ------
    ScannerFileError
        If the object has several frames and does not say where each lies.
    """
    count = int(number(header, "NumberOfFrames") or 1)
    groups = header.get(_GROUPS[1])
    if not groups:
        if count == 1:
            return [header]
        raise ScannerFileError(
            f"{instance(header)} holds {count} frames and does not say where they lie. Export the original series."
        )
    if len(groups) != count:
        raise ScannerFileError(
            f"{instance(header)} holds {count} frames but describes {len(groups)}. Export or copy it again."
        )
    common = _common(header)
    return [_frame(header, common, groups[index], index) for index in range(count)]


def _common(header: Any) -> dict[Any, Any]:
    """Return the elements of the object itself, pixels and groups apart, and what its frames share."""
    from pydicom.datadict import tag_for_keyword

    left_out = {tag_for_keyword(keyword) for keyword in (*_GROUPS, *_PIXELS, "NumberOfFrames")}
    return {tag: header.get_item(tag) for tag in header.keys() if tag not in left_out}  # noqa: SIM118


def _frame(header: Any, common: dict[Any, Any], group: Any, index: int) -> Any:
    from pydicom import Dataset

    frame = Dataset(dict(common))
    implicit, little = header.original_encoding
    frame.set_original_encoding(implicit, little, header.original_character_set)
    parts = [*(header.get(_GROUPS[0]) or []), group]
    for part in parts:
        for converted in _CONVERTED:
            for item in part.get(converted) or []:
                for element in item:
                    frame[element.tag] = element
        for sequence, keywords in _TAKEN.items():
            for item in part.get(sequence) or []:
                for keyword in keywords:
                    source, target = keyword if isinstance(keyword, tuple) else (keyword, keyword)
                    if source in item:
                        _put(frame, target, item[source].value)
    _translate(frame, parts)
    _put(frame, "InstanceNumber", index + 1)
    _put(frame, "SOPInstanceUID", f"{text(header, 'SOPInstanceUID')}.{index + 1}")
    return frame


def _translate(frame: Any, parts: list[Any]) -> None:
    """Put what enhanced PET says in its own elements into those of single-slice PET."""
    if text(frame, "FrameType") and "ImageType" not in frame:
        _put(frame, "ImageType", frame.FrameType)
    if text(frame, "Modality") != "PT":
        return
    decayed = text(frame, "DecayCorrected").upper()
    if "DecayCorrection" not in frame and decayed in ("YES", "NO"):
        _put(frame, "DecayCorrection", "START" if decayed == "YES" else "NONE")
    mapping = _mapping(parts)
    if mapping is not None:
        item, (units, suv_type) = mapping
        _put(frame, "RescaleSlope", item.RealWorldValueSlope)
        intercept = item.get("RealWorldValueIntercept")
        if intercept is None:
            # That of the stored values belongs to another mapping.
            frame.pop("RescaleIntercept", None)
        else:
            _put(frame, "RescaleIntercept", intercept)
        _put(frame, "Units", units)
        _put(frame, "SUVType", suv_type)
    elif "Units" not in frame:
        _put(frame, "Units", text(frame, "RescaleType"))


def _mapping(parts: list[Any]) -> tuple[Any, tuple[str, str]] | None:
    """Return the linear mapping to real-world values whose unit is best, with that unit."""
    offered = {}
    for item in _mappings(parts):
        codes = item.get("MeasurementUnitsCodeSequence") or []
        code = (text(codes[0], "CodeValue") or text(codes[0], "LongCodeValue")) if codes else ""
        unit = code.upper().replace(" ", "")
        if unit in _UNITS and item.get("RealWorldValueSlope"):
            offered[unit] = item
    return next(((offered[unit], names) for unit, names in _UNITS.items() if unit in offered), None)


def _mappings(parts: list[Any]) -> Iterator[Any]:
    for part in parts:
        yield from part.get("RealWorldValueMappingSequence") or []


def _put(frame: Any, keyword: str, value: Any) -> None:
    """Set an element; numbers as binary ones, which have no limit of characters."""
    from pydicom.datadict import dictionary_VR, tag_for_keyword

    tag = tag_for_keyword(keyword)
    assert tag is not None
    frame.add_new(tag, "FD" if isinstance(value, float) else dictionary_VR(tag), value)
