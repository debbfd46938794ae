"""What a column name says about the column, in English and German."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from difflib import SequenceMatcher

from prrt_estimators._analytes import find_analyte, name_tokens, split_unit
from prrt_estimators._modalities import IMAGING, MODALITIES
from prrt_estimators.datasets._codings import states_coding, without_coding, words_of
from prrt_estimators.datasets._image_numbers import RADIOMICS, describes_the_image, words_beside
from prrt_estimators.datasets._person_columns import says_person
from prrt_estimators.datasets._time_points import says_end


@dataclass(frozen=True)
class Guess:
    """What a name says: the role, why, how sure (0 is the surest; ranks candidates for one role), and the topic."""

    role: str
    reason: str
    rank: int = 0
    topic: str = ""


_TIME_UNITS = {
    "days": ("d", "day", "days", "tag", "tage", "tagen"),
    "weeks": ("w", "wk", "wks", "week", "weeks", "woche", "wochen"),
    "months": ("m", "mo", "mos", "mon", "mth", "mths", "month", "months", "monat", "monate", "monaten"),
    "years": ("y", "yr", "yrs", "year", "years", "jahr", "jahre", "jahren"),
}


_PATIENT_IDS = (
    words_of("patientid patient pseudonym pseudonymid pseudoid patientpseudonym studyid subjectid subject"),
    words_of(
        "patid patno patnr patientno patientnr patientnumber patientennummer patientennr patientenid patienten "
        "pid case caseid"
    ),
    words_of("id idnr nr no number nummer index rowid"),
)
_IDENTIFIERS = re.compile(
    r"^(mrn|piz|dob|geb|gebdat|geb dat|ssn|plz|zip|"
    r"zip code|postcode|adresse|address|street|strasse|telefon|phone|e ?mail|((behandlungs)?fall|aufnahme|kis|orbis) ?(nummer|nr|id)|unnamed.*|"
    r"row ?(names?|number)?|zeile|zeilennummer|(lfd|laufende|fortlaufende|running|serial|sequence) ?(nr|no|number|nummer)|lfd)$"
    r"|birth|geburts?|\bmrn\b|medical record|hospital (id|no|number)|accession|\buid\b|instance uid|versicherten"
    r"|insurance|krankenkasse|health ?care number|nhs (no|number|id)|social security"
)
_DATES = re.compile(r"\b(date|datum|timestamp|zeitstempel|dates)\b|datum$|\bdatum")

_MASK = re.compile(
    r"\b(mask|masks|maske|seg|segmentation|segmentierung|label|labels|labelmap|roi|voi|gtv|contours?|kontur)\b"
)

_SPECT = re.compile(r"\b(spect|spectct|szint\w*)\b")

_TIMES = (
    words_of("pfs pfstime timepfs pfszeit pfsduration pfsdauer progressionfreesurvival progressionfreesurvivaltime "
          "progressionsfreiesueberleben progressionsfreieueberlebenszeit timepfsevent pfst"),
    words_of("timetoprogression timetoprogressionordeath ttp zeitbisprogress zeitbisprogression zeitbiszumprogress "
          "progressionsfreieszeit progressionsfreiezeit tte timetoevent"),
    words_of("time zeit"),
)  # fmt: skip
#: What stands behind the name of the time: "in Monaten", "from first PRRT", "ab 1. Zyklus".
_SINCE_THERAPY = re.compile(
    r" (in|(from|since|after|ab|seit|nach)( (the|der|dem|first|start|beginn|of|1|erste[rmn]?))* (prrt|therap(y|ie)|treatment|"
    r"cycle|zyklus|therapiebeginn|lutathera)( ?1)?)$"
)
_EVENTS = (
    words_of("pfsevent eventpfs pfsstatus pfsereignis progressed progression progress progr prog progressionevent "
          "eventprogression progredient progressereignis progressionereignis pd diseaseprogression "
          "krankheitsprogress pfse"),
    words_of("event events ereignis eventobserved eventindicator"),
)  # fmt: skip
_TARGETS = (
    words_of("pfsclass longpfs pfslong shortpfs pfsshort pfsgroup pfsklasse pfsgruppe langespfs kurzespfs langpfs "
          "kurzpfs longshortpfs pfsbinary pfslabel"),
    words_of("target ziel zielgroesse"),
)  # fmt: skip

#: Taken at some time after the start of therapy, whatever was taken.
_LATER = re.compile(
    r"\b(post|after|nach|nachher|danach|followup|follow up|fu|verlauf|change|delta|diff(?! ?(bb|blut))|difference|differenz|veraenderung(en)?|aenderung(en)?|nadir|restaging|"
    r"subsequent|last|letzte[rs]?|eot|end of (treatment|therapy)|therapieende)\b|^nach(sorge|beobachtung|unter)"
    r"|verlaufs|\b(cycle|zyklus|month|monat|week|woche)s? ?([2-9]|[1-9]\d+)\b|\b[mw] ?([3-9]|[1-9]\d)\b"
)
_TOXICITY = re.compile(r"toxic|toxiz|ctcae|adverse|nebenwirk")
_COURSE = re.compile(
    r"\bcycles?\b|zykl|cumulat|kumul|\bactivit|aktivitaet|administered|verabreicht|\bdosimetr|absorbed dose|"
    r"energiedosis|kidney dose|nierendosis|gesamtdosis|total dose|discontinu|abbruch"
)
_OUTCOME = re.compile(
    r"respon[sd]|\b(m?recist|bor|orr|dcr)\b|ansprechen|remission|death|\bdead\b|\bdied\b|deceased|^tod|\btod\b|"
    r"verstorben|gestorben|mortal|exitus|\b(krankheits|verlaufs)?status\b|\balive\b|\bvital(status|zustand)?\b(?! (signs?|parameter|zeichen|capacity))|\bos\b|overall|surviv|ueberleb|outcome|"
    r"ergebnis|endpoint|endpunkt|recurr|rezidiv|relapse|metasta|\bmets?\b|lungmets|progress|progred|\bpfs|\bttp\b|"
    r"\befs\b|\bdfs\b|\bttd\b|censor|zensier|next line|folgetherapie|hospice|event(?!uell)|ereignis|\bn(ext|aechste) (therapy|therapie|treatment|line|behandlung)\b|\b(new|neue) (lesions?|laesion\w*)"
)
_PROGRESS = re.compile(r"progress|progred|\bpd\b(?! l ?1)|\bevent|ereignis")
#: Known before therapy: what makes a therapy a prior one, and a metastasis one that was there already.
_BEFORE = re.compile(
    r"\b(prior|previous|previously|history|anamnese|baseline|initial|at diagnosis|bei diagnose|synchron(ous)?|"
    r"pretherapeutic|praetherapeutisch|vorher|zuvor|davor|naive?|frueher\w*|vorherige\w*|pre|planned|geplant\w*)\b"
    r"|^vor ?(therap|behandl|op|chemo|bestrahl|prrt)|\bvor(therap|behandl|operat|bestrahl)|\bvor (der )?(prrt|therapie|behandlung)\b(?!.*\b(tage?|days?|monate?|months?)\b)|zustand nach|^z n\b|pretreat|vorbehandelt"
)
#: Organs whose metastases are counted before therapy; whether new ones came is an outcome.
_METASTASES = re.compile(
    r"\b(number|count|anzahl|n|extent|of|der|with|mit|any|presence|vorhandensein)?\s*(liver|hepatic|leber|bones?|osseous|osseal|skeletal|knochen|ossaere?|lymph ?(nodes?|knoten)|nodal|"
    r"nodes?|lk|ln|peritoneal|peritoneum|brain|hirn)[ -]?(metasta\w*|mets?|filiae)\b"
    r"|\bmetasta\w* (of |in |der |des )?(the )?(liver|bones?|lymph ?nodes?|nodes?|leber|knochen|lymphknoten|peritoneum)\b"
    r"|\b(leber|knochen|lymphknoten|skelett|peritoneal|hirn|lk)metasta\w*|\bperitoneal ?(karzinose|carcinomatosis)\b"
)
_NEW = re.compile(r"\b(new|neue?[rsn]?|neu aufgetreten\w*|during|unter|development|time to|zeit bis|date|datum)\b")
_THERAPY = re.compile(
    r"therap|treat|behandl|chemo|surger|resect|operat|\bop\b|^vorop|prrt|tace|\btae\b|sirt|\brfa\b|\bssa\b|analog|"
    r"everolimus|sunitinib|radio|bestrahl|interferon|\blines?\b|ablation"
)
_TRACER = re.compile(r"((pet|used|verwendeter|radio) ?)?(radio)?(tracer|radiopharma\w*)( (pet|name|used))?")
_PERFORMANCE = re.compile(r"\b(ecog|karnofsky|kps|who ps|performance status|allgemeinzustand)\b")

#: Whole names of predictors that are no laboratory values; a title for the reason, then the alternatives.
_DEMOGRAPHICS = {
    title: re.compile("|".join(alternatives))
    for title, alternatives in {
        "age": (
            r"(pat\w* )?(age|alter)( (in|jahre?n?|j|years?|yrs?|y|of|the|des|der|d|pat\w*))*( (at|bei|beim|zu|zum|zur|vor|before|am) .*)?",
            "patientenalter", "lebensalter",
        ),
        "sex": ("(patient )?(sex|gender)( (male|female))?", "(male|female)( (sex|gender))?", "geschl(echt)?", "(maennlich|weiblich)(es geschlecht)?"),
        "body size": (
            "bmi( kg m2?)?", "body mass index", "body ?weight( kg)?", "weight( kg)?", "(koerper)?gewicht( kg)?",
            "(body ?)?height( c?m)?", "(koerper)?groesse( c?m)?", "bsa( m2)?", "body surface area",
            "koerperoberflaeche",
        ),
        "grade": (
            "((who|enets|tumou?r|histological) )?grade", "grading", "tumou?rgrad", "differenzierung",
            "differentiation", "((who|enets|net) )?grad", "(grade|grad|grading)( (who|enets|1|2|3|g1|g2|g3|20\\d\\d)){2,}", "grading (who|enets)",
            "net g", "g1 g2( g3)?",
        ),
        "Ki-67": (
            r"(.* )?ki ?67( .*)?", r"(.* )?mib ?1( .*)?", r"mitotic\w*( .*)?", "mitoserate", "mitosen?( .*)?",
            r"proliferation(s ?)?(index|rate)( .*)?",
        ),
        "primary tumour": (
            "primary( (tumou?r|site|location|organ|tumou?r (site|location)))?", "primaertumor.*",
            "primaerlokalisation", "primarius", r"site of (the )?primary.*", "tumou?r ?(origin|site|location|sitz|lokalisation)",
            "lokalisation (des )?(primaertumors?|primarius)",
        ),
        "histology": (
            r"histolog\w*( (group|type|subtype|typ|gruppe))?", "histotype", "tumou?rtyp", "tumou?r (type|entity)",
            "entitaet", "net type",
        ),
        "stage": (
            "((tumou?r|uicc|ajcc|enets|disease) )?stage( (uicc|ajcc|enets))?",
            "((uicc|ajcc|enets) )?(tumou?r)?stadium( (uicc|ajcc|enets))?", "uicc", "ajcc", "tnm",
            "[tnm] (stage|category|stadium|status|kategorie)", "[cp][tnm] (stage|category|stadium|kategorie)", "staging",
            r"(tumou?r )?(stage|stadium|uicc|ajcc|enets)( (stage|stadium|uicc|ajcc|enets|\d(th)?|ed|edition|auflage))+",
        ),
        "receptor expression": (
            r"krenning( .*)?", "netpet (score|grade)", r"sstr\w*( (score|status|expression|grade))?", r"somatostatin recept.*",
            "rezeptorexpression",
        ),
        "tumour burden": (
            r"((liver|hepatic|total|bone|whole body) )?tumou?r (burden|load|volume)( ml)?", "hepatic burden",
            "(leber|hepatische )?(tumou?r)?last", "leberbefall( percent)?", "(liver|hepatic) involvement( percent)?", "tumou?rvolumen( gesamt)?( ml)?", "gesamttumou?rvolumen( ml)?",
            "(number of|n|anzahl( der)?) (lesions|laesionen)",
        ),
        "hormonal activity": (
            "functional( status)?", "functioning", "funktionell", "hormon(e|al)? (active|activity)",
            "carcinoid( syndrome)?", "karzinoid ?(syndrom)?", r"hormonaktiv\w*", "hormonelle aktivitaet", "funktionalitaet",
            "functionality",
        ),
        "disease history": (
            "time since (first )?diagnosis.*", "disease duration.*", "erkrankungsdauer.*", "duration of disease",
            "zeit seit ((erst)?diagnose|ed\\b).*", "diabetes( mellitus)?", "hypertension", "hypertonie", "hypertonus", r"dm typ \d",
            r"(time|months|years|interval|zeit|monate|jahre|intervall) (from|since|seit|von) (first |initial |erst)?(diagnos\w*|ed)( (to|until|bis) (start |beginn |of |der |the |first |erste[rn]? )*(prrt|therapy|treatment|therapie)( .*)?)?",
            r"(time|zeit|intervall) ed (to|bis) (prrt|therapy|treatment|therapie)( .*)?",
            r"smok\w*( status)?", "raucher", r"comorbidit\w*", "charlson.*",
        ),
        "derived laboratory value": (
            "de ritis( ratio| quotient)?", "ast alt( ratio)?", "nlr", "neutrophil lymphocyte ratio",
            "crp albumin( ratio)?",
        ),
    }.items()
}  # fmt: skip

#: Demographic columns that hold numbers; text there is a slip of the pen.
NUMERIC = re.compile(
    r"^(age|alter|bmi|body|weight|height|gewicht|groesse|koerper|bsa|lebensalter|patient age)|ki ?67|mib ?1"
)


#: Analytes beyond the panel, which have no unit of reference here: they are taken as they are written.
_MORE_ANALYTES = (
    "inr", "quick", "ptt", "aptt", "prothrombin time", "thromboplastinzeit", "tpz", "d dimer", "fibrinogen", "ca19 9", "ca 19 9",
    "cea", "afp", "ca125", "ca 125", "progrp", "serotonin", "5 ?hiaa", "5 ?hies", r"5 ?hydroxyindol\w*( acetic)?( acid)?", "gastrin", "glucagon", "insulin",
    "vip", "pancreatic polypeptide", "pankreatisches polypeptid", "calcitonin", "pth", "parathormon", "tsh", "cortisol",
    "hba1c", "glucose", "glukose", "urea", "bun", "harnstoff", "uric acid", "harnsaeure", "cystatin c", "sodium", "natrium",
    "potassium", "kalium", "calcium", "kalzium", "magnesium", "phosphate", "phosphat", "chloride", "chlorid",
    "ferritin", "iron", "eisen", "transferrin", "protein", "total protein", "gesamteiweiss", "gesamtprotein", "prealbumin",
    "cholinesterase", "lipase", "amylase", "procalcitonin", "il 6", "esr", "bsg", "erythrocytes",
    "erythrozyten", "rbc", "hematocrit", "haematocrit", "haematokrit", "hkt", "mcv", "mch", "mchc", "rdw", "monocytes", "monozyten",
    "eosinophils", "eosinophile", "basophils", "basophile", "vitamin d", "vit d", "25 oh vitamin d", "vitamin b12", "folate",
    "folsaeure", "cholesterol", "cholesterin", "triglycerides", "triglyceride", "direct bilirubin", "bilirubin direkt",
    "plr", "sii", "pni", "crcl", "(kreatinin|creatinine) ?clearance", "mag3 ter",
)  # fmt: skip
#: Words behind the name of an analyte: how it was taken, and units.
_BESIDE_ANALYTE = (
    r"( (in|im|i ?[spu]|n|basal|corr|corrected|korr|korrigiert|serum|plasma|urin|urine|blut|blood|baseline|value|wert|level|fasting|nuechtern|absolute?|percent|"
    r"[munp]?g|[munp]?mol|[md]?l|nl|pl|fl|[mk]?i?u|24 ?h|d|s|sec|sek|tag|day|min|mm|h))*"
)
#: So short that a unit must stand beside them.
_SHORT_NAMES = r"(na|k|ca|ca 2|ca2|pp|ck|che|pct)(?= ([munp]?g|[munp]?mol|[mk]?i?u)\b)"
_ANALYTE_BEYOND = re.compile(
    rf"((serum|plasma|urine?|24 ?h|[spu]) )*({'|'.join(_MORE_ANALYTES)}|{_SHORT_NAMES}){_BESIDE_ANALYTE}"
)


def time_unit_in(name: str) -> str | None:
    """Return the unit of time that a column name ends with or holds as a word of its own."""
    for token in reversed(name_tokens(name)):
        for unit, spellings in _TIME_UNITS.items():
            if token in spellings:
                return unit
    return None


def file_kind(name: str) -> str | None:
    """Return ``"mask"`` or the modality, if the name of a column of files says so."""
    text = " ".join(name_tokens(name))
    if _MASK.search(text):
        return "mask"
    if _SPECT.search(text):
        return None  # of "SPECT/CT" the file may be either part
    kinds = [name for name in IMAGING if MODALITIES[name].named_in(text)]
    return kinds[0] if len(kinds) == 1 else None  # "PET/CT" says neither


def says_date(name: str) -> bool:
    """Tell whether the name says that the column holds dates."""
    return _DATES.search(" ".join(name_tokens(name))) is not None


def nearness_to_time(name: str) -> float:
    """Return how near a name is to one of the time to progression, from 0 to 1.

    Examples
    --------
    >>> [round(nearness_to_time(name), 1) for name in ("PFS (mnths)", "Progression free intervall [M]", "hospital")]
    [0.7, 0.8, 0.4]
    """
    units = {spelling for spellings in _TIME_UNITS.values() for spelling in spellings}
    key = "".join(token for token in name_tokens(without_coding(name)) if token not in units)
    return max(SequenceMatcher(None, key, known).ratio() for keys in _TIMES for known in keys)


def says_censored(name: str) -> bool:
    """Return whether the name is that of an inverted event column, in which 1 may mean censored."""
    return re.match(r"(censor|zensier)", "".join(name_tokens(name))) is not None


def says_progress(name: str) -> bool:
    """Tell whether the name of a column left out as an outcome may be that of the progression event."""
    text = " ".join(name_tokens(without_coding(name)))
    return bool(_PROGRESS.search(text)) and not _TOXICITY.search(text) and not _LATER.search(text)


def says_later(name: str) -> bool:
    """Tell whether the name says that something was taken during or after therapy."""
    return _LATER.search(" ".join(name_tokens(name))) is not None


def says_uncertain_event(name: str) -> bool:
    """Return whether a name leaves open that 1 is the event: it speaks of censoring, or states a coding of its own."""
    return says_censored(name) or states_coding(name)


def class_of_one(name: str) -> str | None:
    """Return which PFS 1 means in a class column of this name, ``"short"`` or ``"long"``; None if that is not certain.

    Examples
    --------
    >>> [class_of_one(n) for n in ("PFS class (0/1)", "short PFS", "PFS <= 12 months", "PFS class (short=1)")]
    ['long', 'short', 'short', None]
    """
    bare = without_coding(name)
    # "PFS short 1 long 0" explains its numbers too, in a way that is not read here.
    told = re.search(r"short|kurz|long|lang|[<>≤≥]", bare, re.I)
    if states_coding(name) or (told and {"0", "1"} & set(name_tokens(bare))):
        return None
    return _class_meant(bare) or "long"


def _class_meant(words: str) -> str | None:
    """Return the class that words such as ``PFS short`` or ``<= 12 months`` mean, None if they mean none or both."""
    short, long = re.search(r"short|kurz|[<≤]", words, re.I), re.search(r"long|lang|[>≥]", words, re.I)
    if bool(short) == bool(long) or re.search(r"\b(not?|nicht|kein\w*|non)\b", words, re.I):
        return None
    return "short" if short else "long"


@functools.lru_cache(maxsize=4096)
def guess_name(name: str) -> Guess | None:
    """Return what a column name says about the role of the column, None if it says nothing.

    Examples
    --------
    >>> [guess_name(n).role for n in ("Patienten-ID", "PFS [Monate]", "GGT_u_l", "Anzahl Zyklen", "Nachname")]
    ['patient_id', 'time', 'lab', 'after_therapy', 'identifier']
    """
    bare = without_coding(name)
    said = _guess_bare(bare)
    if bare != name and said is not None and said.role == "lab":
        whole = _guess_bare(name)  # a coding may tell that the column is known only afterwards
        if find_analyte(bare) is not None or (whole is not None and whole.role == "after_therapy"):
            return whole  # nor is a coded analyte the analyte in its unit
    if bare != name and said is not None and said.role == "time":  # "PFS (1=event)" holds no times
        return Guess("event" if states_coding(name) else "after_therapy", "named like a time but coded: an outcome")
    return said


def _guess_bare(name: str) -> Guess | None:
    beside = words_beside(name)
    if beside is not None:
        return _guess_image_number(name, beside)
    tokens = name_tokens(name)
    text, key = " ".join(tokens), "".join(tokens)
    for rank, keys in enumerate(_PATIENT_IDS):
        if key in keys:
            return Guess("patient_id", "named like a patient id", rank)
    if says_person(text) or _IDENTIFIERS.search(text):
        return Guess("identifier", "named like an identifier: never a predictor")
    words = tuple(t for t in tokens if not any(t in spellings for spellings in _TIME_UNITS.values())) or tokens
    since = _SINCE_THERAPY.sub("", " ".join(words))
    for role, ranks, reason in (
        ("time", _TIMES, "named like the time to progression"),
        ("event", _EVENTS, "named like the progression event"),
        ("target", _TARGETS, "named like a PFS class"),
    ):
        for rank, keys in enumerate(ranks):
            if "".join(words) in keys or (role == "time" and rank < 2 and since.replace(" ", "") in keys):
                return Guess(role, reason, rank)
    if says_date(name):
        return Guess("date", "named like a date: never a predictor")
    return _guess_clinical(name, text)


def _guess_image_number(name: str, beside: str) -> Guess | None:
    if _LATER.search(beside) or says_end(beside):
        return Guess("after_therapy", "a number of an image that was taken during or after therapy")
    if describes_the_image(name):
        return None
    return Guess(RADIOMICS, "a number that was measured in an image: a block of its own")


def _guess_clinical(name: str, text: str) -> Guess | None:
    """Return lab, after_therapy or None: when a thing was measured weighs more than what was measured."""
    found = _guess_kind(name, text)
    if found is not None and found.role == "lab" and says_end(text) and not _BEFORE.search(text):
        return Guess("after_therapy", "the name says it was taken at the end of the course")
    return found


def _guess_kind(name: str, text: str) -> Guess | None:
    if _LATER.search(text):
        return Guess("after_therapy", "the name says it was taken during or after therapy")
    if _TOXICITY.search(text):
        return Guess("after_therapy", "toxicity is known only after therapy")
    if _PERFORMANCE.search(text):
        return Guess("lab", "performance status")
    analyte = find_analyte(name)
    if analyte is not None:
        return Guess("lab", f"{analyte.title}, {split_unit(name)[1] or analyte.unit}")
    for title, pattern in _DEMOGRAPHICS.items():
        if pattern.fullmatch(text):
            return Guess("lab", title, topic=title)
    if _ANALYTE_BEYOND.fullmatch(text):
        return Guess("lab", "laboratory value beyond the panel, as it is written")
    if _METASTASES.search(text) and not _NEW.search(text) and not _PROGRESS.search(text):
        return Guess("lab", "metastases at baseline")
    if _BEFORE.search(text):
        if _THERAPY.search(text) or _COURSE.search(text):
            return Guess("lab", "prior or planned therapy")
        if _OUTCOME.search(text):
            return Guess("lab", "named as known before therapy")
    if _COURSE.search(text):
        return Guess("after_therapy", "course of therapy: known only afterwards")
    if _OUTCOME.search(text):
        return Guess("after_therapy", "named like an outcome: known only after therapy")
    if _TRACER.fullmatch(text):
        return Guess("unused", "the tracer of the PET: a setting of models (`tracer`), not a predictor")
    return None
