"""Names of numbers that were measured in images: radiomics programs' and those of nuclear medicine."""

from __future__ import annotations

import re

from prrt_estimators._analytes import name_tokens

#: The block that they are, unless the user says otherwise.
RADIOMICS = "radiomics"

_SCAN = r"(?:(?:pet|ct|suv|mri?|t1|t2|spect|lesion|laesion|herd|tumou?r|liver|leber|spleen|milz|wb|gesamt|total|radiomics?|rad|img|image|feature|ga68|fdg|dotatate)_)*"
#: How a feature of MIRP begins: its family, and what the names of that family begin with.
_MIRP = (
    r"(?:morph_(?:volume|vol|area|av|comp|sph|asph|com|diam|max|pca|integ|moran|geary)"
    r"|loc_peak_(?:loc|glob)"
    r"|stat_(?:mean|var|skew|kurt|median|min|max|iqr|range|mad|rmad|medad|cov|qcod|energy|total|rms|p\d)"
    r"|ih_(?:mean|var|skew|kurt|median|min|max|iqr|range|mode|mad|rmad|medad|cov|qcod|entropy|uniformity|p\d)"
    r"|ivh_(?:v\d|i\d|diff_[vi]\d|auc)"
    r"|cm_(?:sum_(?:avg|var|entr)|mcc|joint_|inv_|info_corr|energy|diss|diff_|corr|contrast|clust_|auto_corr)"
    r"|rlm_[a-z]+|szm_[a-z]+|dzm_[a-z]+|ngt_[a-z]+|ngl_[a-z]+"
    r"|diag_(?:n_voxel|mean|min|max|int|voxel|roi|img|ivol|rvol)\w*)"
)
#: Settings that MIRP writes behind a feature, and parts of its names that say "difference".
_SETTINGS = re.compile(r"(?:fbs|fbn|fbsn|w\d+|n\d+|d\d+|a\d+|s\d+|g\d+|\d+|2d|2 5d|3d|avg|mrg|s|v|zoom|fbin|invar)")
_CLASSES = r"(?:shape2?d?|firstorder|glcm|glrlm|glszm|gldm|ngtdm)"
#: Image types of pyradiomics; what it says of itself begins with "diagnostics".
_PYRADIOMICS = (
    rf"(?:(?:original|wavelet2?|log_sigma|square|squareroot|logarithm|exponential|gradient|lbp_[23]d)(?:_[a-z0-9]+)*?_{_CLASSES}_[a-z0-9]+"
    rf"|{_CLASSES}_[a-z0-9]{{3,}}|diagnostics_\w+)"
)
#: LIFEx names the family of a feature, then the feature, then its number in the list of IBSI.
_LIFEX = (
    r"(?:(?:conventional|discretized)_(?:suv|sul|hu|tlg)[a-z0-9_]+"
    r"|(?:morphological|intensity_based|intensity_histogram|local_intensity_based|intensity_volume_histogram)_[a-z0-9_]+)"
)
_UPTAKE = (
    r"(?:(?:suv|sul)(?:_?(?:bw|lbm|bsa|sa))?_?(?:(?:max|mean|peak)[a-z]*|min|median|sd|std|tot|total|p\d+|\d+)"
    r"|(?:max|mean|peak)_?suv(?:_?(?:bw|lbm))?|suv"
    r"|(?:w?t?mtv\d*|[tw]?tv|sstr_?e?_?tv|psma_?tv|dotatate_?tv|fdg_?tv|(?:total_)?metabolic_tumou?r_volume)"
    r"|(?:w?t?tlg|tl_?a|total_lesion_(?:glycolysis|activity|uptake|sstr_expression)|tlsre|tl_?sstr|tlu|tlsstr_?e?)"
    r"|(?:tl_?)?sre?tv(?:_?(?:mean|max))?|(?:sd|std)max|dmax|(?:d|dist)_?max_(?:patient|bulk|lesions?)|somatostatin_receptor_expressing_tumou?r_volume"
    r"|(?:tumou?r|lesion)_to_(?:liver|spleen|background|blood)(?:_ratio)?|t_[lsb]_ratio|tumou?r_(?:leber|milz|liver|spleen)_(?:ratio|quotient)|(?:tbr|tlr|tsr|slr)(?:_?(?:max|mean))?"
    r"|hu_?(?:mean|max|min|sd|std|median))"
)
_UNITS = r"(?:_(?:g_?ml|g|ml|cm3|ccm?|mm3?|cm|hu|kbq_?ml|bq_?ml|l|41|40|50|41pct|percent|\d+(?:_\d+)?|pct))*"
_PLACE = (
    r"(?:_(?:pet|ct|liver|spleen|lesion|lesions|tumou?r|total|wb|baseline|pre|leber|milz|laesion|herd|all|hottest))*"
)
_MEASURED = re.compile(rf"(?:baseline_|pre_|log_)?{_SCAN}{_UPTAKE}{_PLACE}{_UNITS}{_PLACE}")
#: A program's name, with whatever stands before it (a filter, a region) and after it (settings).
_COMPUTED = re.compile(
    rf"(?P<before>(?:.*_)?)(?:(?P<mirp>{_MIRP}[a-z]*)(?P<after>.*)|(?:{_LIFEX}|{_PYRADIOMICS}(?P<more>.*)))"
)
_DIAGNOSTICS = re.compile(r"(?:^|_)(?:diagnostics|diag)_")


def says_image_number(name: str) -> bool:
    """Tell whether a column is named like a number that a program measured in an image.

    Examples
    --------
    >>> [says_image_number(n) for n in ("cm_contrast_d1_3d_avg_fbs_w25.0", "original_glcm_Contrast", "SUVmax", "TMTV [ml]")]
    [True, True, True, True]
    >>> [says_image_number(n) for n in ("Week 25", "height_cm", "CgA [ug/l]", "status", "diagnosis", "SUVmax week 12")]
    [False, False, False, False, False, False]
    """
    return words_beside(name) is not None


def words_beside(name: str) -> str | None:
    """Return what a name says besides the number that was measured, None if it is no such name.

    Examples
    --------
    >>> words_beside("ih_mean_fbs_w25.0"), words_beside("week_12_ih_mean_fbs_w25.0"), words_beside("AST")
    ('', 'week 12', None)
    """
    key = _key(name)
    if _MEASURED.fullmatch(key):
        return ""
    found = _COMPUTED.fullmatch(key)
    if found is None:
        return None
    after = found["after"] if found["mirp"] is not None else found["more"]
    tail = [word for word in (after or "").split("_") if word and not _SETTINGS.fullmatch(word)]
    return " ".join([*found["before"].strip("_").split("_"), *tail]).strip()


def describes_the_image(name: str) -> bool:
    """Tell whether a column of a radiomics program says how it ran (versions, sizes, hashes) and measures no patient."""
    return says_image_number(name) and _DIAGNOSTICS.search(_key(name)) is not None


def _key(name: str) -> str:
    # In lower case first: camel case is a program's own here, as in "SUVmax", "TMTV", "MeshVolume".
    return "_".join(name_tokens(str(name).lower()))
