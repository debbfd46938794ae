"""What a CT series shows: the phase of contrast, virtual energies, and maps that are not CT."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

#: Descriptions of phases, in English and German, the first that fits.
_PHASES = (
    ("arterial", re.compile(r"arteri|\bart\b", re.I)),
    ("portal venous", re.compile(r"portal|venous|ven(oe|ö)s|\bpv\b|\bven\b", re.I)),
    # Portal venous scans begin some 70 s after the injection, whether or not that is called a delay.
    ("portal venous", re.compile(r"\b[6-9]\d ?s(ec)?\b", re.I)),
    ("late", re.compile(r"\blate\b|sp(ae|ä)t|delay|excret|equilib", re.I)),
    ("native", re.compile(r"nativ|non[ -]?(contrast|enhanced)|unenhanced|w/?o (c|km)|without (iv |i\.v\. )?contrast|(ohne|kein) (i\.?v\.? )?(km|kontrast)|low ?dose|\bac ?ct\b|\bctac\b", re.I)),
)  # fmt: skip
_NO_AGENT = re.compile(r"^(no|none|nein|kein.*|nativ\w*|without.*|ohne.*|no .*|w/?o\b.*|n/?a|-+|0)$", re.I)
#: Given into the bowel, it says nothing of the phase.
_ORAL = re.compile(
    r"^(oral\w*|per os|p\.? ?o\.?|gastrografin\w*|rectal\w*|rektal\w*|barium\w*|mannit\w*)( contrast| km)?$", re.I
)
_MAP_TYPE = re.compile(r"IODINE|OVERLAY|Z[ _]?EFF|EFFECTIVE[ _-]?Z|ELECTRON|\bRHO\b|MATERIAL|PERFUSION|\bPBV\b", re.I)
_MAP_NAME = re.compile(
    r"IODINE[ _-]?(MAP|OVERLAY|CONC|DENS)|JOD[ -]?(KARTE|BILD|MAP)|WATER[ _]?MAP|Z[ _]?EFF|ELECTRON DENS|\bRHO\b|\bPBV\b"
    r"|PERFUSION|BLOOD (VOLUME|FLOW)|\bMTT\b|URIC",
    re.I,
)
_VIRTUAL = re.compile(r"\bVNC\b|VIRTUAL|\bVMI\b|MONO|\d ?KEV\b|\bKEV ?\d", re.I)


@dataclass(frozen=True)
class CTKind:
    """What a CT series shows.

    Attributes
    ----------
    phase : str
        "native", "arterial", "portal venous", "late", "contrast, phase not stated"; empty where nothing says.
    virtual : bool
        Whether the values were computed for an energy at which nothing was measured, or without the contrast agent.
    is_map : bool
        Whether the values are not attenuation.
    """

    phase: str = ""
    virtual: bool = False
    is_map: bool = False

    @property
    def label(self) -> str:
        """In words, such as ``"portal venous"``."""
        return f"{self.phase or 'phase not stated'}{', virtual' if self.virtual else ''}"


def ct_kind(texts: Mapping[str, str]) -> CTKind:
    """Return what a CT series shows, from its description, image type, contrast agent and unit.

    Examples
    --------
    >>> ct_kind({"description": "Abdomen nativ 5.0 B30f"}).label, ct_kind({"contrast": "Imeron 350"}).label
    ('native', 'contrast, phase not stated')
    >>> ct_kind({"description": "MonoE 40 keV portal"}).label, ct_kind({"image_type": "DERIVED\\\\PRIMARY\\\\IODINE"}).is_map
    ('portal venous, virtual', True)
    """
    description, image = texts.get("description", ""), texts.get("image_type", "").replace("\\", " ")
    agent = texts.get("contrast", "").strip()
    phase = next((name for name, pattern in _PHASES if pattern.search(description)), "")
    if not phase and agent and not _ORAL.match(agent):
        phase = "native" if _NO_AGENT.match(agent) else "contrast, phase not stated"
    unit = texts.get("rescale_type", "").upper().strip()
    return CTKind(
        phase,
        bool(_VIRTUAL.search(description) or _VIRTUAL.search(image)),
        bool(_MAP_TYPE.search(image) or _MAP_NAME.search(description)) or unit not in ("", "HU", "HU_MOD", "US"),
    )
