"""Which element of a header each field of a record is read from."""

from __future__ import annotations

from pydicom.datadict import tag_for_keyword

from prrt_estimators.ingest import _headers, _person_matching

#: Field of the record: keyword of the standard.
KEYWORDS = {
    "sop_class": "SOPClassUID", "sop_uid": "SOPInstanceUID", "image_type": "ImageType", "study_date": "StudyDate",
    "series_date": "SeriesDate", "acquisition_date": "AcquisitionDate", "acquisition_datetime": "AcquisitionDateTime",
    "study_time": "StudyTime", "series_time": "SeriesTime", "acquisition_time": "AcquisitionTime", "modality": "Modality",
    "kernel": "ConvolutionKernel", "attenuation_corrected": "AttenuationCorrected", "study_uid": "StudyInstanceUID",
    "series_uid": "SeriesInstanceUID", "series_number": "SeriesNumber", "frame_uid": "FrameOfReferenceUID",
    "position": "ImagePositionPatient", "orientation": "ImageOrientationPatient", "n_frames": "NumberOfFrames",
    "pixel_spacing": "PixelSpacing", "corrected": "CorrectedImage", "series_type": "SeriesType",
    "manufacturer": "Manufacturer", "units": "Units", "contrast": "ContrastBolusAgent",
    "rescale_intercept": "RescaleIntercept", "rescale_slope": "RescaleSlope", "rescale_type": "RescaleType",
    "age": "PatientAge", "n_slices": "NumberOfSlices", "samples": "SamplesPerPixel", "rows": "Rows", "columns": "Columns",
    "bits": "BitsAllocated", "description": "SeriesDescription", "patient_id": "PatientID", "patient_name": "PatientName",
    "birth_date": "PatientBirthDate", "sex": "PatientSex", "accession": "AccessionNumber", "other_ids": "OtherPatientIDs",
    "other_names": "OtherPatientNames", "birth_name": "PatientBirthName", "mother": "PatientMotherBirthName",
    "address": "PatientAddress", "telephone": "PatientTelephoneNumbers", "referrer": "ReferringPhysicianName",
    "performer": "PerformingPhysicianName", "reader": "NameOfPhysiciansReadingStudy", "operator": "OperatorsName",
    "institution": "InstitutionName", "institution_address": "InstitutionAddress",
    "department": "InstitutionalDepartmentName", "station": "StationName", "serial": "DeviceSerialNumber",
    "study_id": "StudyID", "procedure_id": "RequestedProcedureID", "admission_id": "AdmissionID",
    "ward": "CurrentPatientLocation",
}  # fmt: skip
#: What an element says who somebody is, or where; each must be searched for in the outputs.
IDENTIFYING = {
    "patient_id", "patient_name", "birth_date", "accession", "other_ids", "other_names", "birth_name", "mother", "address",
    "telephone", "referrer", "performer", "reader", "operator", "institution", "institution_address", "department",
    "station", "serial", "study_id", "procedure_id", "admission_id", "ward", "study_uid", "series_uid", "frame_uid",
    "study_date", "series_date", "acquisition_date", "names_decoded",
}  # fmt: skip


def test_fields_are_read_from_the_elements_of_the_standard():
    tables = {**_headers._TEXTS, **_headers._NUMBERS, **_headers._PEOPLE}
    assert tables == {field: tag_for_keyword(keyword) for field, keyword in KEYWORDS.items()}
    times = [
        "AcquisitionTime", "AcquisitionDateTime", "FrameReferenceTime", "TemporalPositionIdentifier",
        "TemporalPositionIndex", "TriggerTime", "NominalPercentageOfCardiacPhase",
    ]  # fmt: skip
    assert sorted(_headers._TIMES) == sorted(map(tag_for_keyword, times))
    assert tag_for_keyword("RadiopharmaceuticalInformationSequence") == _headers._PHARMACEUTICAL


def test_every_element_that_says_who_somebody_is_is_searched_for():
    groups = (
        _person_matching._NAMES, _person_matching._PLACES, _person_matching._IDENTIFIERS, _person_matching._DAYS,
    )  # fmt: skip
    searched = [field for group in groups for field in group]
    assert set(searched) == IDENTIFYING
    assert len(searched) == len(set(searched))
    assert set(searched) - {"names_decoded"} <= set(KEYWORDS)
