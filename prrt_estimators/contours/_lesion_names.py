"""Which structures are lesions, by their names: lesion words, organ words, and words of planning and reference.

Names are written in any language, joined and abbreviated ("Leber-Met S7", "GTVnode2", "LiverMet"); they are compared in
lower case without accents, split at changes of case and at digits.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["lesion", "organ", "planning", "unknown"]


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


#: Whole words that say what is never a lesion: planning volumes, the body, devices, references, physiological uptake.
_PLANNING = _set(
    """body external externe extern couch table tisch tischplatte liege bolus marker markers fiducial fiducials isocenter
    isocentre isozentrum bloodpool blutpool background hintergrund bkg ref avoid avoidance ring shell dose dosis isodose
    support fixation minus fov noise"""
)
#: Parts of words of the same kind.
_PLANNING_PARTS = (
    "aussenkontur", "koerperkontur", "korperkontur", "physiolog", "referenz", "reference", "blood pool", "blutpool",
    "hilfsstruktur", "hilfskontur", "planung", "planning", "isodos", "couch",
)  # fmt: skip
#: What looks like such a word and is part of an organ or of a lesion.
_NOT_PLANNING = re.compile(
    r"\b(vertebral|carotid|pancreatic|pancreas|gastric|stomach|uterine|corpus) body\b|\bbody of\b|\bnon ?physiolog\w*"
    r"|\b(target|tumou?r|lesion) (marker|reference)\b"
)
_LESION = _set(
    """gtv gtvp gtvn gtvs met mets meta metas metast lesion lesions tumor tumour net nets nec hcc ln lns lnn lk lks lymphnode
    lymphnodes node nodes nodal nodule nodules knoten mass masse raumforderung rf herd herde primary primarius primaer primar
    recurrence rezidiv residual tl ntl deposit deposits implant implants infiltrat infiltration hotspot hotspots
    anreicherung mehranreicherung speicherherd avid sstr cancer krebs ca malignant malignancy malignom disease adenopathy
    filia filiae ganglion ganglions adenopathie satellite carcinomatosis carcinoid karzinoid insulinoma gastrinoma
    paraganglioma pheochromocytoma"""
)
_LESION_PARTS = (
    "metasta", "lesion", "laesion", "lasion", "tumor", "tumour", "tumeur", "neoplas", "carcinom", "karzinom", "lymphknot",
    "lymph node", "adenopath", "anreicherung", "raumforderung", "carcinoid", "karzinoid", "sarcom", "sarkom", "filia",
    "rezidiv", "herd", "knoten",
)  # fmt: skip
#: An organ with "met" behind it, as one word in small letters.
_JOINED = re.compile(r"\b(liver|leber|bone|knochen|lung|lungen|lymph|hepatic|peritoneal|nodal)(met|mets)\b")
_ORGAN = _set(
    """bone bones knochen rib ribs rippe rippen eye eyes auge augen lens optic chiasm cord spine wirbelsaeule wirbelsaule
    marrow femur femurs hip pelvis becken sacrum skull heart herz aorta vessel vessels trachea larynx muscle muskel
    psoas fat fett gland glands stomach rein reins foie rate vessie higado bazo rinon pulmon coeur cerveau lung lungs
    lunge lungen hilum mediastinum skin haut organ organs breast mamma prostate prostata uterus ovary testis"""
)
_ORGAN_PARTS = (
    "liver", "leber", "hepar", "hepat", "spleen", "milz", "kidney", "niere", "renal", "bladder", "blase", "bowel",
    "intestin", "darm", "colon", "kolon", "sigma", "sigmoid", "rectum", "rektum", "duoden", "jejun", "ileum", "magen",
    "pancrea", "pankrea", "brain", "hirn", "thyroid", "schilddruse", "schilddruese", "pituitar", "hypophys", "adrenal",
    "nebenniere", "parotis", "parotid", "salivary", "submandib", "speichel", "spinal", "ruckenmark", "rueckenmark",
    "myelon", "esophag", "oesophag", "speiserohre", "mandib", "uncinat", "gallen", "ureter", "thymus", "tonsil",
)  # fmt: skip
#: RTROIInterpretedType by what it says.
_TYPES: dict[str, Verdict] = {
    "GTV": "lesion", "ORGAN": "organ", "PTV": "planning", "CTV": "planning", "EXTERNAL": "planning",
    "AVOIDANCE": "planning", "MARKER": "planning", "REGISTRATION": "planning", "ISOCENTER": "planning",
    "SUPPORT": "planning", "FIXATION": "planning", "BOLUS": "planning", "DOSE_REGION": "planning", "CONTROL": "planning",
    "DOSE_MEASUREMENT": "planning", "TREATED_VOLUME": "planning", "IRRAD_VOLUME": "planning",
    "CONTRAST_AGENT": "planning", "BRACHY_CHANNEL": "planning", "BRACHY_ACCESSORY": "planning",
    "BRACHY_SRC_APP": "planning", "BRACHY_CHNL_SHLD": "planning",
}  # fmt: skip
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z]{2})(?=[a-z]{3})")
#: Volumes of radiotherapy, with whatever is joined to them.
_VOLUME = re.compile(r"\b([pci]tv|prv)|\b(gtv)")


@dataclass(frozen=True)
class Selection:
    """Which of several structures are taken, by position.

    Attributes
    ----------
    taken : tuple of int
    left : dict of int to str
        Why the others are not: "organ", "planning", "unnamed" (its name says nothing, and others speak) or "pattern".
    unnamed : bool
        Whether structures were taken whose names say nothing, because no other name speaks of a lesion.
    """

    taken: tuple[int, ...]
    left: dict[int, str]
    unnamed: bool = False


def verdict(name: str, kind: str = "") -> Verdict:
    """Return what a structure is by its name, and by its kind where the name says nothing.

    Planning and reference words go before lesion words, lesion words before organ words.

    Parameters
    ----------
    name : str
    kind : str, default=""
        RTROIInterpretedType, or the coded meaning of a segment.

    Returns
    -------
    {"lesion", "organ", "planning", "unknown"}

    Examples
    --------
    >>> [verdict(name) for name in ("Leber-Met S7", "Leber", "PTV_60", "ROI 1")]
    ['lesion', 'organ', 'planning', 'unknown']
    """
    by_name = _by_words(name)
    by_kind = _TYPES.get(kind) or _by_words(kind)
    for found in ("planning", "lesion", "organ"):
        if found in (by_name, by_kind):
            return found
    return "unknown"


def _by_words(name: str) -> Verdict:
    whole = folded(name)
    # A name that a change of case divides is read both ways.
    both = {*re.findall(r"[a-z]+", folded(_CAMEL.sub(" ", name))), *re.findall(r"[a-z]+", whole)}
    joined = " ".join(re.findall(r"[a-z]+", folded(_CAMEL.sub(" ", name))))
    plain = _NOT_PLANNING.sub(" ", joined)
    volumes = _VOLUME.findall(joined)
    if any(planned for planned, _ in volumes) or whole.strip() == "patient":
        return "planning"
    if _PLANNING & set(plain.split()) or any(part in plain for part in _PLANNING_PARTS):
        return "planning"
    if volumes or _LESION & both or any(part in joined for part in _LESION_PARTS) or _JOINED.search(joined):
        return "lesion"
    if _ORGAN & both or any(part in joined for part in _ORGAN_PARTS):
        return "organ"
    return "unknown"


def folded(text: str) -> str:
    """Return a text in lower case without accents."""
    return "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))


def select(
    structures: Sequence[tuple[str, str]], *, lesions: str | None = None, not_lesions: str | None = None
) -> Selection:
    """Choose the lesions among the structures of one or several objects.

    Parameters
    ----------
    structures : sequence of (name, kind)
    lesions : str, default=None
        Regular expression: exactly the structures whose names it matches are lesions, whatever the words say.
    not_lesions : str, default=None
        Regular expression for names that are not lesions.

    Returns
    -------
    Selection

    Examples
    --------
    >>> select([("Lesion 1", ""), ("Liver", "ORGAN"), ("ROI 3", "")])
    Selection(taken=(0,), left={1: 'organ', 2: 'unnamed'}, unnamed=False)
    >>> select([("ROI 3", ""), ("Liver", "ORGAN")])
    Selection(taken=(0,), left={1: 'organ'}, unnamed=True)
    """
    left: dict[int, str] = {}
    found: dict[int, Verdict] = {}
    for position, (name, kind) in enumerate(structures):
        if not_lesions is not None and re.search(not_lesions, name, re.IGNORECASE):
            left[position] = "pattern"
        elif lesions is not None:
            if re.search(lesions, name, re.IGNORECASE):
                found[position] = "lesion"
            else:
                left[position] = "pattern"
        else:
            found[position] = verdict(name, kind)
    left |= {position: word for position, word in found.items() if word in ("organ", "planning")}
    named = [position for position, word in found.items() if word == "lesion"]
    nameless = [position for position, word in found.items() if word == "unknown"]
    if named:
        left |= dict.fromkeys(nameless, "unnamed")
    return Selection(tuple(named or nameless), dict(sorted(left.items())), bool(nameless and not named))


def vocabulary() -> frozenset[str]:
    """Return words that stand in names of structures and name nobody."""
    parts = (part for part in (*_PLANNING_PARTS, *_LESION_PARTS, *_ORGAN_PARTS) if " " not in part)
    return frozenset({*_PLANNING, *_LESION, *_ORGAN, *_COMMON, *parts, "gtv", "ptv", "ctv", "itv"})


#: Words of place, side, number and kind, and those that programs write as names of their own.
_COMMON = _set(
    """left right links rechts li re upper lower middle ober unter mitte anterior posterior superior inferior lateral medial
    ventral dorsal kranial kaudal cranial caudal proximal distal central peripheral pelvic thoracic cervical lumbar sacral
    abdominal abdomen thorax neck head kopf hals arm bein leg hand foot fuss thigh oberschenkel knee knie shoulder schulter
    chest brust wall wand segment segments segmentation structure structures struct contour contours roi rois voi vois label
    labels set new neu old alt final draft copy kopie baseline followup follow restaging pre post before after week woche
    therapy therapie pet suv spect scan image images slice series the and for with und mit der die das von vom manual
    automatic auto semi edited corrected small large gross klein whole total all alle first second third one two three
    max mean threshold isocontour percent phase avid tissue property physical object morphologically abnormal altered
    anatomical structure function category type none unknown unnamed untitled default test clinical research iso slicer editor
    unspecified number region area volume axial coronal sagittal fdg dotatate dotatoc gallium lutetium psma nuklearmedizin
    radiology radiologie reader observer nodes lymph common iliac iliaca para aortic paraaortal mesenterial mesenteric
    retroperitoneal peritoneal hepatic hilar hilus axillary axillaer inguinal supraclavicular mediastinal vertebra vertebral
    corpus wirbel wirbelkoerper acetabulum scapula clavicula sternum humerus tibia ilium os"""
)
