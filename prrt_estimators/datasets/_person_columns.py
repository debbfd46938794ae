"""Whether a column is named after what persons are called, in English and German."""

from __future__ import annotations

from prrt_estimators.datasets._codings import words_of

_NAMES = words_of(
    "name names vorname vornamen nachname nachnamen familienname zuname rufname geburtsname surname surnames forename "
    "lastname firstname givenname familyname fullname middlename maidenname patname patientname patientsname "
    "patientenname patientennamen initial initials initialen"
)
_BESIDE = words_of(
    "first last given family full middle maiden vor und and u or d des der the of patient patients patienten patientin pat"
)


def says_person(words: str) -> bool:
    """Tell whether a name, as words in lower case, is that of a column of persons.

    Examples
    --------
    >>> [says_person(words) for words in ("name vorname", "vor und nachname", "last first", "name of the tumour", "patient")]
    [True, True, True, False, False]
    """
    found = set(words.split())
    return (bool(found & _NAMES) and found <= _NAMES | _BESIDE) or found == {"last", "first"}
