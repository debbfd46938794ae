"""A name, an identifier, an institution, a serial number and dates in every element of an export: in no output byte."""

from __future__ import annotations

import gzip
import itertools
import logging
import warnings

import numpy as np
import pandas as pd
import pytest
from contour_builders import belonging, headers, segmentation, structure_set, voxel_box
from ingest_helpers import DATES, clinical, everything_in, files, key_of, make_export
from pydicom import dcmread
from pydicom.config import disable_value_validation
from pydicom.datadict import DicomDictionary
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from prrt_estimators.ingest import ingest

NAME, IDENTIFIER, PLACE, SERIAL = "Okonkwo", "KX-774411", "Sonnenhang", "SN48213"
SECRETS = [NAME, "Adaeze", IDENTIFIER, "KX774411", "774411", PLACE, SERIAL, *DATES]
#: Without which an object would be another, or none.
NEEDED = {
    "SpecificCharacterSet", "ImageType", "Modality", "PatientID", "PatientName", "PatientSex", "PatientAge", "Units",
    "DecayCorrection", "PhotometricInterpretation", "RescaleType", "SUVType", "PatientPosition", "SeriesType", "BurnedInAnnotation",
    "LossyImageCompression", "ContentLabel", "SegmentationType", "SegmentAlgorithmType", "ROIName", "SegmentLabel",
    "ContourGeometricType", "RTROIInterpretedType", "StructureSetLabel", "PixelPresentation", "ComplexImageComponent",
    "AcquisitionContrast", "DimensionOrganizationType", "CountsSource", "FrameType", "VolumetricProperties",
    "RecognitionCode", "DirectoryRecordType", "SegmentationFractionalType", "SegmentsOverlap", "QualityControlSubject",
    "PatientSpeciesDescription", "ClinicalTrialTimePointID", "CorrectedImage", "TimezoneOffsetFromUTC", "RandomsCorrectionMethod",
    "PatientIdentityRemoved", "QualityControlImage",
}  # fmt: skip
#: Sequences that say what an object is made of.
STRUCTURE = (
    "Functional", "LUTSequence", "ContourSequence", "ROI", "SegmentSequence", "ReferencedFrame", "ReferencedSeries",
    "RadionuclideCode", "RadiopharmaceuticalCode", "Dimension", "DirectoryRecord", "MultiFrame", "DerivationImage",
    "OriginalAttributes", "SourceImage", "ReferencedImageSequence", "Waveform", "PixelMeasures", "PlanePosition", "PlaneOrientation",
)  # fmt: skip
LEVELS = ("LO", "SH", "ST", "LT", "UT", "UC", "PN", "AE", "CS", "UR")


def plant(dataset, texts, depth=1, share=1):
    """Write secrets into every element of text that the standard knows, in items of sequences too."""
    if depth:
        dataset.SpecificCharacterSet = "ISO_IR 192"
    for tag, (kind, _, _, retired, keyword) in DicomDictionary.items():
        if not keyword or retired or tag < 0x00080000 or keyword in NEEDED or tag >> 16 in (0x60, 0x5600):
            continue
        if (tag >> 3) % share:
            continue
        if kind in LEVELS:
            text = next(texts)
            setattr(
                dataset, keyword, text if kind not in ("AE", "CS", "UR") else text.encode("ascii", "ignore").decode()
            )
        elif kind == "SQ" and depth and not any(part in keyword for part in STRUCTURE):
            items = list(dataset.get(keyword) or []) or [Dataset()]
            for inner in ("CodeMeaning", "PersonName", "InstitutionName", "TextValue", "AccessionNumber"):
                setattr(items[0], inner, next(texts))
            if tag % 64 == 0:
                plant(items[0], texts, 0, 16)
            setattr(dataset, keyword, Items(items))
    dataset.PatientName, dataset.InstitutionName, dataset.DeviceSerialNumber = (
        f"{NAME}^Adaeze",
        f"Klinikum {PLACE}",
        SERIAL,
    )
    block = dataset.private_block(0x0009, f"MAKER {NAME}", create=True)
    for number, kind in enumerate(LEVELS[:6]):
        block.add_new(0x10 + number, kind, next(texts))
    inner = Dataset()
    inner.private_block(0x0011, f"MAKER {SERIAL}", create=True).add_new(0x10, "UN", next(texts).encode("utf-8"))
    block.add_new(0x50, "SQ", Items([inner]))


@pytest.fixture(scope="module")
def everywhere(tmp_path_factory):
    folder = tmp_path_factory.mktemp("every") / "export"
    first, *_ = make_export(folder, 3).X.ids
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    spelt = itertools.cycle(DATES)
    texts = (f"{NAME} {IDENTIFIER} {PLACE} {SERIAL} {day}" for day in spelt)
    images = files(folder, first, "pet") + files(folder, first, "ct")
    header = headers(folder, first)[3]
    drawn = structure_set({f"{NAME} 06.01.2020": [voxel_box(header, (2, 4), (2, 4))]})
    whole = dcmread(files(folder, first, "pet")[0])
    objects = {
        "RS": belonging(drawn, header),
        "SEG": belonging(segmentation(_mask(whole), _affine(whole)), header, 2),
    }
    with warnings.catch_warnings(), disable_value_validation():
        warnings.simplefilter("ignore")
        begun = set()
        for number, path in enumerate(images):
            dataset = dcmread(path)
            # All of them in the first image of each series, which stands for the others, and some in each of these.
            plant(dataset, texts, share=1 if dataset.Modality not in begun else 8 if number % 4 == 3 else 64)
            begun.add(dataset.Modality)
            dataset.PatientID = IDENTIFIER
            dataset.save_as(path)
            path.rename(path.with_name(f"{NAME} {IDENTIFIER} {next(spelt).replace('/', '-')} {path.name}"))
        for name, dataset in objects.items():
            plant(dataset, texts)
            dataset.PatientID = IDENTIFIER
            dataset.save_as(folder / "dicom" / first / f"{name} {NAME}.dcm", enforce_file_format=True)
    table = clinical(folder)
    column = next(name for name in table if (table[name].astype(str) == first).any())
    table.loc[table[column].astype(str) == first, column] = IDENTIFIER
    mine = table[column] == IDENTIFIER
    for number, day in enumerate(DATES):
        table[f"Freitext {number}"] = [f"{NAME} {PLACE} {day}" if one else "unauffällig" for one in mine]
        table[f"{NAME} {SERIAL} am {day}"] = [1.5, 2.5, 3.5]
    path = folder / f"{NAME}.xlsx"
    table.to_excel(path, index=False)
    out = folder.parent / "out"
    return out, ingest(folder / "dicom", path, out, key_file=key_of(folder), n_jobs=1)


def _mask(header):
    mask = np.zeros((int(header.Columns), int(header.Rows), 2), bool)
    mask[2:4, 2:4, :] = True
    return {f"Lesion {NAME}": mask}


def _affine(header):
    affine = np.diag(
        [-float(header.PixelSpacing[1]), -float(header.PixelSpacing[0]), float(header.SliceThickness), 1.0]
    )
    x, y, z = (float(part) for part in header.ImagePositionPatient)
    affine[:3, 3] = -x, -y, z
    return affine


def test_nothing_that_was_planted_leaves(everywhere):
    out, result = everywhere
    assert result.n_included == 3, result.flow[["patient_id", "reason", "notes"]].to_dict("records")
    for name, content in everything_in(out).items():
        plain = gzip.decompress(content) if name.endswith(".gz") else content
        plain = plain[:352] if ".nii" in name else plain
        for encoding in ("utf-8", "latin-1", "utf-16-le"):
            text = (name + plain.decode(encoding, "ignore")).lower()
            for secret in SECRETS:
                # Compressed pixels hold short texts by chance.
                if not (name.endswith(".png") and len(secret) < 7):
                    assert secret.lower() not in text, (
                        name,
                        secret,
                        text[max(text.find(secret.lower()) - 60, 0) :][:160],
                    )
    assert result.findings == ()


def test_values_of_the_others_stay(everywhere):
    _, result = everywhere
    cohort = pd.read_csv(result.cohort)
    assert len(cohort) == 3
    assert cohort["pet"].notna().all()
