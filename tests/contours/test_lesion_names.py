"""Which structures are lesions, by the names that clinics give them."""

import pytest

from prrt_estimators.contours._lesion_names import select, verdict

LESIONS = """GTV|GTV_Mass_PET|GTVnode2|gtv1|Lesion 1|LESION_03|Leber-Met S7|LeberMet|lebermets 3|Lebermetastase|Läsion 4|Laesion
Tumor|Tumour liver|Primärtumor|primary|Lymphknoten para-aortal|LN 7|LK iliakal|Metastasis L3|vertebral body met|Met corpus vertebrae
NET pancreas|Bone mets|Knochenmetastase|Lung nodule|mass in pancreatic tail|hotspot 3|Herd 2|Speicherherd|Raumforderung Niere
non-physiological uptake tumor|tumeur|métastase hépatique|lesión|Rezidiv|Filia Leber|HCC S4|Mamma-Ca|skin met|PCtumor"""
ORGANS = """Liver|Leber|liver_left|Kidney_L|KidneyR|Niere rechts|Milz|spleen|Harnblase|Bladder|Darm|Pankreas|Schilddrüse|Nebenniere li
Lung_R|Heart|aorta|Rückenmark|SpinalCord|Femur head|Parotis|foie|Gallenblase|Brain"""
PLANNING = """PTV|PTV_60|ctv1|ITV|PTVmet|PTV Lesion 1|BODY|External|Couch Surface|marker|Marker 3|Blood pool|bloodpool|Blutpool
Reference|Liver reference|Referenz Leber|physiological uptake|Physiologische Anreicherung|Außenkontur|Liver minus GTV|Patient|Isodose 50
fiducial"""
UNKNOWN = "ROI 1|Segment_1|Structure 4|abc|Kontur 1|S7|VOI|Sphere 2|Okonkwo||3"


def names(text):
    return [name for line in text.splitlines() for name in line.split("|")]


@pytest.mark.parametrize(
    ("word", "several"), [("lesion", LESIONS), ("organ", ORGANS), ("planning", PLANNING), ("unknown", UNKNOWN)]
)
def test_names(word, several):
    assert {name: verdict(name) for name in names(several)} == dict.fromkeys(names(several), word)


def test_the_kind_speaks_where_the_name_does_not():
    assert verdict("ROI 1", "GTV") == "lesion"
    assert verdict("ROI 1", "ORGAN") == "organ"
    assert verdict("ROI 1", "EXTERNAL") == "planning"
    assert verdict("first", "Morphologically Abnormal Structure, Lesion") == "lesion"
    assert verdict("first", "Tissue, Liver") == "organ"
    assert verdict("Segment_1", "Tissue, Tissue") == "unknown"


def test_lesion_words_win_over_organ_words_and_planning_words_over_both():
    assert verdict("Lesion 1", "ORGAN") == "lesion"
    assert verdict("Liver", "GTV") == "lesion"
    assert verdict("Lesion 1", "PTV") == "planning"
    assert verdict("marker", "GTV") == "planning"


def test_names_that_say_nothing_are_taken_where_nothing_else_speaks():
    found = select([("ROI 1", ""), ("Liver", ""), ("ROI 2", "")])
    assert (found.taken, found.left, found.unnamed) == ((0, 2), {1: "organ"}, True)
    found = select([("ROI 1", ""), ("Liver", ""), ("GTV", "")])
    assert (found.taken, found.left, found.unnamed) == ((2,), {0: "unnamed", 1: "organ"}, False)


def test_patterns_of_the_user_decide():
    structures = [("ROI 1", ""), ("Liver", ""), ("GTV 1", ""), ("GTV 2", ""), ("PTV", "")]
    assert select(structures, lesions="^roi|ptv").taken == (0, 4)
    assert select(structures, not_lesions="2$").taken == (2,)
    assert select(structures, lesions="gtv", not_lesions="1").taken == (3,)
    assert select(structures, lesions="gtv").left == {0: "pattern", 1: "pattern", 4: "pattern"}
