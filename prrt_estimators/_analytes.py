"""The laboratory panel: what each analyte is called, its unit, scale and reference limits."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_TRANSLITERATION = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "µ": "u", "μ": "u", "γ": "gamma", "%": " percent "}
)
_CAMEL = re.compile(r"(?<=[a-z]{3})(?=[A-Z])|(?<=[A-Z]{2})(?=[A-Z][a-z]{3})")

#: The unit of a value in multiples of its upper limit of normal.
OVER_LIMIT = "x ULN"
_OVER_LIMIT_NAMES = (
    "over uln,x uln,xuln,times uln,fold uln,multiples of uln,multiple of uln,uln ratio,ratio to uln,over upper limit,x upper limit,"
    "over upper limit of normal,over the upper limit of normal,x upper limit of normal,times upper limit of normal,"
    "times the upper limit of normal,over upper normal limit,x upper normal limit,x ogn,over ogn,x ong,over ong,x norm,"
    "fache norm,fache der norm,fach der norm,faches der norm,vielfaches der norm,vielfache der norm,x obere normgrenze,"
    "over obere normgrenze,fache der oberen normgrenze,faches der oberen normgrenze,vielfaches der oberen normgrenze"
)
#: ``CgA/ULN`` and ``3 ×ULN``, whose signs are not words. "CgA ULN" alone may be the limit itself.
_OVER_SIGN = re.compile(r"[/÷×*·]\s*(?=(the )?(uln|ogn|ong|upper (normal )?limit|obere)\b)", re.I)

#: Units as column names spell them, longest first, and the spelling used in this package.
_UNITS: tuple[tuple[tuple[str, ...], str], ...] = tuple(
    sorted(
        {
            tuple(spelling.split()): unit
            for unit, spellings in {
                "ug/L": "ug l,ugl,mcg l",
                "pg/mL": "pg ml,pgml",
                "ng/L": "ng l",
                "ug/mL": "ug ml,mcg ml",
                "ug/dL": "ug dl,mcg dl",
                "ng/dL": "ng dl",
                "ng/mL": "ng ml,ngml",
                "U/L": "u l,iu l,units l,e l",
                "ukat/L": "ukat l,ukatl",
                "mg/dL": "mg dl,mgdl",
                "mg/L": "mg l,mgl",
                "g/L": "g l,gl",
                "g/dL": "g dl,gdl",
                "umol/L": "umol l,umoll",
                "mmol/L": "mmol l,mmoll",
                "nmol/L": "nmol l",
                "pmol/L": "pmol l",
                "mL/min/1.73 m2": "ml min 1 73 m2,ml min 1 73m2,ml min 173m2,ml min 173,ml min 1 73 qm,ml min",
                "/nL": "nl,per nl,1 nl,10 9 l,x10 9 l,10e9 l,10 3 ul,x10 3 ul,k ul,tsd ul,1000 ul,gpt l,giga l",
                "/uL": "per ul,1 ul",
                "%": "percent,prozent,pct",
                OVER_LIMIT: _OVER_LIMIT_NAMES,
            }.items()
            for spelling in spellings.split(",")
        }.items(),
        key=lambda item: -len(item[0]),
    )
)

#: A unit in brackets at the end of a name, of whatever kind: the name before it is still that of the analyte.
_OTHER_UNIT = re.compile(r"[\[(]\s*[a-zA-Zµμ]{1,5}\s*/\s*(24 ?h|[mdµμunp]?[lL]|m?mol|k?g|[dh]|min|mm3|m2)\s*[\])]\s*$")

#: Words that say where or when before therapy a value was taken, not what it is.
_FILLER_WORDS = (
    "serum plasma blood blut i s baseline pre vor vorher before prior initial at level levels value values wert werte lab "
    "labor concentration konzentration conc count anzahl abs absolute absolut in im t0 pretherapy pretherapeutic "
    "praetherapeutisch therapy therapie treatment prrt screening"
)
_FILLERS = frozenset(_FILLER_WORDS.split())


@dataclass(frozen=True)
class Analyte:
    """One laboratory value of the panel.

    Parameters
    ----------
    name : str
        Canonical name, e.g. ``"cga"``.
    title : str
        Name for figures and tables.
    unit : str
        Unit of the reference limits.
    log : bool
        Whether the value is right-skewed and enters models on the log scale.
    synonyms : tuple of str
        Other spellings, English and German, in lower case.
    uln_male, uln_female : float, default=None
        Upper limit of normal in `unit`; None where only low values are abnormal. Limits depend on the assay:
        edit them with :func:`dataclasses.replace`.
    lln_male, lln_female : float, default=None
        Lower limit of normal in `unit`.
    conversions : mapping of str to float, default={}
        Factors from other units to `unit`.
    """

    name: str
    title: str
    unit: str
    log: bool
    synonyms: tuple[str, ...]
    uln_male: float | None = None
    uln_female: float | None = None
    lln_male: float | None = None
    lln_female: float | None = None
    conversions: Mapping[str, float] = field(default_factory=dict, hash=False)

    def upper_limit(self, sex: str | None = None) -> float | None:
        """Return the upper limit of normal for ``"male"``, ``"female"``, or the mean of both for None."""
        if sex not in (None, "male", "female"):
            raise ValueError(f"`sex` must be 'male', 'female' or None; got {sex!r}.")
        if self.uln_male is None or self.uln_female is None:
            return None
        return {"male": self.uln_male, "female": self.uln_female}.get(sex or "", (self.uln_male + self.uln_female) / 2)


def _analyte(
    name: str,
    title: str,
    unit: str,
    log: bool,
    synonyms: str,
    uln: tuple[float | None, float | None] = (None, None),
    lln: tuple[float | None, float | None] = (None, None),
    conversions: dict[str, float] | None = None,
) -> Analyte:
    spellings = tuple(word.strip() for word in synonyms.split(","))
    return Analyte(name, title, unit, log, spellings, *uln, *lln, conversions or {})


_ENZYME = {"ukat/L": 60.0}  # 1 ukat = 60 umol/min
_COUNT = {"g/L": 1.0, "/uL": 1e-3}  # G/L (giga per litre) reads as g/L once case is gone

#: The panel, in the order of tables and figures. Factors between mass and amount use the molar masses
#: creatinine 113.12, bilirubin 584.66 and haemoglobin (monomer) 16114 g/mol.
ANALYTES: tuple[Analyte, ...] = (
    _analyte(
        "cga", "chromogranin A", "ug/L", True, "cga, chga, chromogranin a, chromogranin", (100, 100),
        conversions={"ng/mL": 1.0},
    ),
    _analyte(
        "ggt", "gamma-GT", "U/L", True,
        "ggt, gamma gt, gammagt, g gt, y gt, gamma glutamyltransferase, gamma glutamyl transferase, "
        "gamma glutamyl transpeptidase, ggtp", (60, 40), conversions=_ENZYME,
    ),
    _analyte(
        "alp", "alkaline phosphatase", "U/L", True,
        "alp, ap, alk phos, alkaline phosphatase, alkalische phosphatase, alk phosphatase", (130, 130), (40, 40),
        _ENZYME,
    ),
    _analyte(
        "ast", "AST", "U/L", True,
        "ast, asat, got, sgot, aspartate aminotransferase, aspartate transaminase, aspartat aminotransferase",
        (50, 35), conversions=_ENZYME,
    ),
    _analyte(
        "alt", "ALT", "U/L", True,
        "alt, alat, gpt, sgpt, alanine aminotransferase, alanine transaminase, alanin aminotransferase",
        (50, 35), conversions=_ENZYME,
    ),
    _analyte(
        "ldh", "LDH", "U/L", True, "ldh, lactate dehydrogenase, laktatdehydrogenase, laktat dehydrogenase",
        (250, 250), conversions=_ENZYME,
    ),
    _analyte(
        "bilirubin", "bilirubin", "mg/dL", True,
        "bilirubin, bili, total bilirubin, bilirubin total, gesamtbilirubin, bilirubin gesamt, bilirubin ges, gesamt bilirubin, "
        "tbil", (1.2, 1.2), conversions={"umol/L": 0.058466},
    ),
    _analyte("albumin", "albumin", "g/L", False, "albumin, alb", (52, 52), (35, 35), {"g/dL": 10.0}),
    _analyte(
        "creatinine", "creatinine", "mg/dL", True, "creatinine, kreatinin, crea, krea, creat, creatinin, scr",
        (1.2, 0.9), conversions={"umol/L": 0.011312},
    ),
    _analyte(
        "egfr", "eGFR", "mL/min/1.73 m2", False,
        "egfr, gfr, glomerular filtration rate, estimated glomerular filtration rate, "
        "glomerulaere filtrationsrate, egfr ckd epi, gfr ckd epi, egfr mdrd, gfr mdrd, ckd epi", lln=(60, 60),
    ),
    _analyte(
        "crp", "CRP", "mg/L", True, "crp, hs crp, c reactive protein, c reaktives protein", (5, 5),
        conversions={"mg/dL": 10.0},
    ),
    _analyte(
        "haemoglobin", "haemoglobin", "g/dL", False, "haemoglobin, hemoglobin, hb, hgb", (17, 16), (13.5, 12),
        {"g/L": 0.1, "mmol/L": 1.6114},
    ),
    _analyte(
        "leukocytes", "leukocytes", "/nL", True,
        "leukocytes, leucocytes, leukozyten, leukos, leuko, wbc, white blood cells, white blood cell", (10, 10),
        (4, 4), _COUNT,
    ),
    _analyte(
        "neutrophils", "neutrophils", "/nL", True,
        "neutrophils, neutrophil, neutrophile, neutrophilen, neutro, neutros, anc, neutrophile granulozyten", (7.7, 7.7),
        (1.5, 1.5), _COUNT,
    ),
    _analyte(
        "lymphocytes", "lymphocytes", "/nL", True, "lymphocytes, lymphocyte, lymphozyten, lympho, lymphos",
        (4.5, 4.5), (1.1, 1.1), _COUNT,
    ),
    _analyte(
        "platelets", "platelets", "/nL", True,
        "platelets, platelet, plt, thrombozyten, thrombocytes, thrombos, thrombo", (400, 400), (150, 150), _COUNT,
    ),
    _analyte(
        "nse", "NSE", "ug/L", True,
        "nse, neuron specific enolase, neuronspezifische enolase, neuronenspezifische enolase, neuronenspez enolase", (16.3, 16.3),
        conversions={"ng/mL": 1.0, "pg/mL": 0.001, "ng/L": 0.001},
    ),
)  # fmt: skip


def _key(tokens: Iterable[str]) -> str:
    return "".join(token for token in tokens if token not in _FILLERS)


_BY_KEY = {_key(spelling.split()): a for a in ANALYTES for spelling in (a.name, *a.synonyms)}


@functools.lru_cache(maxsize=4096)
def name_tokens(name: str) -> tuple[str, ...]:
    """Return the words of a column name: lower case, umlauts written out, separators and camel case split.

    Examples
    --------
    >>> name_tokens("γ-GT [U/l]"), name_tokens("Körpergewicht"), name_tokens("lungMets")
    (('gamma', 'gt', 'u', 'l'), ('koerpergewicht',), ('lung', 'mets'))
    """
    text = _CAMEL.sub(" ", unicodedata.normalize("NFKC", str(name))).lower().translate(_TRANSLITERATION)
    text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return tuple(re.findall(r"[a-z0-9]+", text))


def split_unit(name: str) -> tuple[tuple[str, ...], str | None]:
    """Return the words of a column name without the unit it states, and that unit (None if it states none).

    Examples
    --------
    >>> split_unit("CgA_ug_l"), split_unit("Hb"), split_unit("AST/ULN")
    ((('cga',), 'ug/L'), (('hb',), None), (('ast',), 'x ULN'))
    """
    signed = _OVER_SIGN.sub(" over ", str(name))
    if signed != str(name):
        tokens, unit = _split(name_tokens(signed))
        if unit == OVER_LIMIT:
            return tokens, unit
    return _split(name_tokens(name))


def _split(tokens: tuple[str, ...]) -> tuple[tuple[str, ...], str | None]:
    for spelling, unit in _UNITS:
        for start in range(len(tokens) - len(spelling), 0, -1):  # a name does not begin with its unit
            if tokens[start : start + len(spelling)] == spelling:
                return tokens[:start] + tokens[start + len(spelling) :], unit
    return tokens, None


@functools.lru_cache(maxsize=4096)
def find_analyte(column_name: str) -> Analyte | None:
    """Return the analyte of the panel that a column name means, None if it means none of them.

    The whole name must be understood: a unit, words such as ``serum`` or ``baseline`` and a synonym in brackets
    are accepted, and a unit that is not known in brackets; ``cga_2``, ``log_cga`` or ``direct bilirubin`` are not the analyte as the panel defines it, and
    a percentage of cells is not their number. A value in multiples of its upper limit of normal is the analyte in
    the unit `OVER_LIMIT`, where the analyte has such a limit.

    Examples
    --------
    >>> [a and a.name for a in map(find_analyte, ("CgA [µg/L]", "Kreatinin_umol_l", "AST (GOT)", "delta_cga"))]
    ['cga', 'creatinine', 'ast', None]
    >>> [a and a.name for a in map(find_analyte, ("cga_over_uln", "GGT (x ULN)", "egfr_over_uln", "CgA ULN"))]
    ['cga', 'ggt', None, None]
    """
    tokens, unit = split_unit(column_name)
    if unit == "%":
        return None
    found = _BY_KEY.get(_key(tokens))
    if found is not None:
        return None if unit == OVER_LIMIT and found.upper_limit() is None else found
    other = _OTHER_UNIT.search(str(column_name))
    if unit is None and other is not None:
        return find_analyte(str(column_name)[: other.start()])
    for cut in range(1, len(tokens)):  # "AST (GOT)": the name said twice
        first, second = (_BY_KEY.get(_key(part)) for part in (tokens[:cut], tokens[cut:]))
        if first is not None and first is second:
            return first
    return None


def unit_factor(column_name: str) -> float:
    """Return the factor from the unit that a column name states to the analyte's own unit.

    1 where the name states no unit, or the name is not an analyte's; NaN where the unit is not convertible, as are
    multiples of an upper limit of normal, which depends on the assay.

    Examples
    --------
    >>> [unit_factor(name) for name in ("albumin_g_dl", "albumin", "albumin_umol_l", "albumin_over_uln")]
    [10.0, 1.0, nan, nan]
    """
    analyte, unit = find_analyte(column_name), split_unit(column_name)[1]
    if analyte is not None and unit is None and _OTHER_UNIT.search(str(column_name)):
        return float("nan")
    if analyte is None or unit is None or unit == analyte.unit:
        return 1.0
    return analyte.conversions.get(unit, float("nan"))


def limit_factor(column_name: str, sex: str | None = None) -> float:
    """Return the factor from the unit of an analyte's column to multiples of its upper limit of normal.

    1 where the column holds such multiples; NaN where the unit is not convertible or there is no upper limit.

    Parameters
    ----------
    column_name : str
    sex : {"male", "female"} or None, default=None
        Whose limit; the mean of both for None.

    Examples
    --------
    >>> [limit_factor(name) for name in ("cga_ug_l", "cga_over_uln", "egfr")], limit_factor("GGT", "female")
    ([0.01, 1.0, nan], 0.025)
    """
    if over_limit(column_name):
        return 1.0
    analyte = find_analyte(column_name)
    limit = analyte.upper_limit(sex) if analyte is not None else None
    return unit_factor(column_name) / limit if limit else float("nan")


def over_limit(column_name: str) -> bool:
    """Return whether a column holds an analyte in multiples of its upper limit of normal.

    Examples
    --------
    >>> [over_limit(name) for name in ("cga_over_uln", "CgA", "progression x norm")]
    [True, False, False]
    """
    return split_unit(column_name)[1] == OVER_LIMIT and find_analyte(column_name) is not None


def over_limit_name(analyte: Analyte) -> str:
    """Return the column name of an analyte in multiples of its upper limit of normal, as `ingest` writes it.

    Examples
    --------
    >>> over_limit_name(ANALYTES[0])
    'cga_over_uln'
    """
    return f"{analyte.name}_over_uln"


def analyte_columns(column_names: Iterable[str]) -> dict[str, str]:
    """Return the column of each analyte: the first one that holds its values, else the first of multiples of its limit.

    Examples
    --------
    >>> analyte_columns(["cga_over_uln", "CgA [ug/l]", "ast_over_uln", "age"])
    {'cga': 'CgA [ug/l]', 'ast': 'ast_over_uln'}
    """
    found: dict[str, str] = {}
    for name in column_names:
        analyte = find_analyte(name)
        if analyte is not None and (
            analyte.name not in found or (over_limit(found[analyte.name]) and not over_limit(name))
        ):
            found[analyte.name] = name
    return found
