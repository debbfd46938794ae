"""When a value was taken, by the name of its column: at progression, at death, at the end, at the last visit."""

from __future__ import annotations

import re

#: Words of a moment that nobody knows before therapy, in English and German, transliterated and in lower case.
_COURSE_ENDS = (
    r"\w*progress(ion|ed|ing|es|s?diagnose)?|prog|progredien\w*|fortschreiten\w*|worsening|deterioration|verschlechter\w*|"
    r"events?|ereignis\w*|censor\w*|zensier\w*|pd(?! ?l ?1)|relaps\w*|recurr\w*|rezidiv\w*|"
    r"death|dead|died|dying|deceased|decease|tod|todes\w*|tode|sterbe\w*|versterben|verstorben|gestorben|ableben|exitus|"
    r"hospice|hospiz"
)
_LAST = (
    r"last|letzte\w*|zuletzt|final|abschluss\w*|exit|endpoint|endpunkt|"
    r"end(?! ?(stage|stad|organ|of life care))|ende|\w*(studien|therapie|behandlungs|beobachtungs|nachsorge|krankheits|follow ?up)ende|"
    r"(eos|eot|eofu|lfu|lvlp|dco)|data ?cut ?off|cut ?off date|"
    r"(study|treatment|therapy|trial) (end|completion|exit)|completion|discontinuation|withdrawal|discharge|entlassung"
)
_AGE_AT_DEATH = r"sterbealter|todesalter|progressionsalter|progressalter"
_END = re.compile(rf"\b({_COURSE_ENDS}|{_LAST}|{_AGE_AT_DEATH})\b")
#: "ageatprogression", "alterbeitod": words that were written as one.
_JOINED = re.compile(
    r"(at|bei|beim|zum|zur|am|upon|on)(first|the|der|des|last|letzter|letztem)?"
    r"(progress|death|tod|exitus|lastvisit|letztevisite|end(of|e)?\b|relapse|rezidiv|studienende|therapieende|followup)"
)


def says_end(words: str) -> bool:
    """Tell whether a name, as words in lower case, says that a value was taken at the end of the course or later.

    Examples
    --------
    >>> [says_end(words) for words in ("age at progression", "alter bei tod", "age at diagnosis", "end stage renal disease")]
    [True, True, False, False]
    """
    return _END.search(words) is not None or _JOINED.search(words.replace(" ", "")) is not None
