"""Dates in texts of any form, as people and systems write them."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from typing import Any

from prrt_estimators._text import plain_text

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january januar jän jänner jaen jaenner janvier gennaio enero ocak",
            "feb february februar feber février fevrier febbraio febrero şubat", "mar march mär märz maerz mrz mars marzo mart",
            "apr april avril aprile abril nisan", "may mai maggio mayo mayıs", "jun june juni juin giugno junio haziran",
            "jul july juli juillet luglio julio temmuz", "aug august août aout agosto ağustos",
            "sep sept september septembre settembre septiembre eylül",
            "oct october okt oktober octobre ottobre octubre ekim", "nov november novembre noviembre kasım",
            "dec december dez dezember décembre decembre dicembre diciembre aralık",
        ),
        1,
    )
    for name in names.split()
}  # fmt: skip
_MONTH = rf"(?P<month>{'|'.join(sorted(_MONTHS, key=len, reverse=True))})(?![^\W\d_])\.?"
_YEAR = r"(?P<year>(?:19|20)\d{2})"
_DAY_MONTH_YEAR = re.compile(
    rf"(?<![^\W_])(?P<day>\d{{1,2}})(?:\.|st|nd|rd|th)?[\s._-]*{_MONTH}[\s.,_-]*(?P<y>(?:19|20)\d{{2}}|'?\d{{2}})(?!\d)",
    re.I,
)
_MONTH_DAY_YEAR = re.compile(
    rf"(?<![^\W_]){_MONTH}[\s._-]*(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[\s.,]+(?P<y>(?:19|20)\d{{2}}|'\d{{2}})(?!\d)", re.I
)
_YEAR_MONTH_DAY = re.compile(rf"(?<!\d)(?P<y>(?:19|20)\d{{2}})[\s._-]*{_MONTH}[\s._-]*(?P<day>\d{{1,2}})(?!\d)", re.I)
_NAMED = (_DAY_MONTH_YEAR, _MONTH_DAY_YEAR, _YEAR_MONTH_DAY)
_D, _M = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])"
_FORMS = (
    # Day, month and year by number.
    rf"(?<![\d.])(?:1[89]|20)\d{{2}}\s?[-./]\s?{_M}\s?[-./]\s?{_D}(?![\d])",
    rf"(?<![\d.,-]){_D}\s?[-./]\s?{_D}\s?[-./]\s?(?:(?:1[89]|20)\d{{2}}|\d{{2}})(?![\d])(?!\.\d)",
    r"(?<![\d.])(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[T_ ]?\d{4,6}(?:\.\d+)?)?(?![\d.])",
    r"(?<![\d.])(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])(?:19|20)\d{2}(?![\d.])",
    r"(?<![^\W_])(?<!\.)(?:0[1-9]|[12]\d|3[01])\.\s?(?:0[1-9]|1[0-2])\.(?!\d)",
    rf"(?<![\d.,-]){_D}[ _]{_M}[ _](?:19|20)\d{{2}}(?!\d)|(?<![\d.,-])(?:19|20)\d{{2}}[ _]{_M}[ _]{_D}(?!\d)",
    # With a Roman month, and a day without its year after a word for time.
    rf"(?<![^\W_]){_D}\s?[./]\s?(?:I{{1,3}}|IV|VI{{0,3}}|IX|XI{{0,2}})\s?[./]\s?(?:(?:1[89]|20)\d{{2}}|\d{{2}})(?!\d)",
    rf"(?<![^\W_])(?:am|vom|seit|bis|zum|ab|on|since|until)\s+{_D}\.\s?{_M}\.(?!\d)",
    # The day of the year.
    r"(?<![\d.,/-])(?:19|20)\d{2}[-/](?:00[1-9]|0[1-9]\d|[12]\d{2}|3[0-5]\d|36[0-6])(?![\d-])",
    r"\d{4}\s?年\s?\d{1,2}\s?月(?:\s?\d{1,2}\s?日)?",
    # Month and year, week and year, quarter and year.
    rf"(?<![\d.,/-]){_M}\s?[/-]\s?(?:19|20)\d{{2}}(?![\d/-])",
    r"(?<![\d.,/-])(?:19|20)\d{2}\s?[/-]\s?(?:0?[1-9]|1[0-2])(?![\d/.-])",
    r"(?<![^\W_])(?:19|20)\d{2}[\s-]?(?:W|KW|Q)\s?\d{1,2}(?:-\d)?(?!\d)",
    r"(?<![^\W_])(?:KW|CW|WEEK|WOCHE)\s?\d{1,2}(?:\s|[/.,-]|\sof\s)*(?:(?:19|20)\d{2}|\d{2})(?!\d)",
    r"(?<![^\W_])Q[1-4][\s/-]*(?:19|20)\d{2}(?!\d)|(?<![^\W_])[1-4]\. ?(?:Quartal|Quarter)\s*(?:19|20)\d{2}",
)
_ANY = re.compile("|".join(f"(?:{form})" for form in _FORMS), re.I)
#: A year beside the name of a month; one alone is a number like others.
_MONTH_YEAR = re.compile(
    rf"(?<![^\W_]){_MONTH.replace('?P<month>', '?:')}[\s.,_/'-]*(?:19|20)\d{{2}}(?!\d)"
    rf"|(?<![^\W_]){_MONTH.replace('?P<month>', '?:')}\s?['’-]\s?\d{{2}}(?![\d.])"
    rf"|(?<!\d)(?:19|20)\d{{2}}[\s._/-]*{_MONTH.replace('?P<month>', '?:')}(?![^\W_])"
    rf"|(?<![^\W_])\d{{1,2}}(?:\. ?| de | of ){_MONTH.replace('?P<month>', '?:')}(?:(?: de)? (?:19|20)\d{{2}})?(?![^\W_])",
    re.I,
)
#: "Mär 21": a month in capitals and two digits that no unit follows.
_SHORT_MONTH_YEAR = re.compile(
    rf"(?<![^\W_])(?=(?-i:[A-ZÄŞ])){_MONTH.replace('?P<month>', '?:')}\s\d{{2}}(?![\w.,%])(?!\s?[^\W\d_]+/|\s?[mkµu]?[glm]\b)",
    re.I,
)
#: In texts of people, also a month and year with a point, which would be a number in a table.
_SPOKEN = re.compile(r"(?<![\d.,])(?:0[1-9]|1[0-2])\.(?:19|20)\d{2}(?!\d)")
_PATTERNS = (*_NAMED, _ANY, _MONTH_YEAR, _SHORT_MONTH_YEAR)
_ALIKE = dict.fromkeys(map(ord, "‐‑‒–—−"), "-") | dict.fromkeys(map(ord, "·•∙․"), ".")
#: Spreadsheets count days from here.
_DAY_ZERO = datetime.date(1899, 12, 30)
_FIRST, _LAST = datetime.date(1900, 1, 1), datetime.date(2100, 12, 31)
_EPOCH = datetime.date(1970, 1, 1)


def read_named_month(text: str) -> datetime.date | None:
    """Return the date of a text that names its month, None where it is of another form.

    Examples
    --------
    >>> [str(read_named_month(text)) for text in ("06-Jan-2020", "6. Januar 2020", "January 6, 2020", "6 Mrz 20")]
    ['2020-01-06', '2020-01-06', '2020-01-06', '2020-03-06']
    """
    for pattern in _NAMED:
        found = pattern.search(text)
        if found:
            year = int(found["y"].lstrip("'"))
            year += 0 if year > 99 else 2000 if year < 70 else 1900
            try:
                return datetime.date(year, _MONTHS[found["month"].lower()], int(found["day"]))
            except ValueError:
                return None
    return None


def has_date(text: str, *, spoken: bool = True) -> bool:
    """Tell whether a text holds a date, to the month at least.

    Parameters
    ----------
    text : str
    spoken : bool, default=True
        Whether ``03.2020`` is one; in a table of numbers it is a number.

    Examples
    --------
    >>> [has_date(text) for text in ("Wert am 17.03.2021", "06-Jan-2020", "Ki-67", "1.2.840", "SUV 3.2 to 4.1")]
    [True, True, False, False, False]
    """
    text = _plainly(text)
    return any(pattern.search(text) for pattern in _PATTERNS) or (spoken and _SPOKEN.search(text) is not None)


def without_dates(text: str, mark: str = "***", *, spoken: bool = True) -> str:
    """Return a text with a mark in place of each date."""
    if has_date(text, spoken=spoken):
        text = _plainly(text)
    for pattern in (*_PATTERNS, *((_SPOKEN,) if spoken else ())):
        text = pattern.sub(mark, text)
    return text


def _plainly(text: str) -> str:
    """Return a text with one kind of digits, dashes and points, and without invisible signs."""
    if text.isascii():
        return text
    # Blanks at the ends stay, which `plain_text` removes.
    inside = plain_text(f"|{text}|")[1:-1]
    return inside.translate(_ALIKE)


def day_of_number(value: Any) -> datetime.date | None:
    """Return the date that a number in a column of dates means: YYYYMMDD, a spreadsheet's day, Unix seconds.

    Examples
    --------
    >>> [str(day_of_number(value)) for value in (20200106, 43836, 43836.5, 1578268800, 7)]
    ['2020-01-06', '2020-01-06', '2020-01-06', '2020-01-06', 'None']
    """
    number = _number(value)
    if number is None:
        return None
    try:
        if 19000101 <= number <= 21001231 and number.is_integer():
            text = f"{number:.0f}"
            found = datetime.date(int(text[:4]), int(text[4:6]), int(text[6:]))
        elif 7000 <= number <= 73000:
            found = _DAY_ZERO + datetime.timedelta(days=int(number))
        elif 1e8 <= number <= 4.2e9:
            found = _EPOCH + datetime.timedelta(seconds=number)
        elif 1e11 <= number <= 4.2e12:
            found = _EPOCH + datetime.timedelta(milliseconds=number)
        else:
            return None
    except ValueError:
        return None
    return found if _FIRST <= found <= _LAST else None


def like_days(cells: Sequence[Any]) -> str:
    """Say what the numbers of a column may be days as; empty where they are not like days.

    Numbers of this size are also counts, so that a column is asked about and not read.

    Examples
    --------
    >>> like_days([20200106, 20200107]), like_days([43836, 43836.25]), like_days([1578268800]), like_days([4.1, 3.9])
    ('dates without separators', 'days of a spreadsheet', 'seconds since 1970', '')
    """
    numbers = [_number(cell) for cell in cells]
    found = [number for number in numbers if number is not None]
    if not found or len(found) < 0.8 * len(numbers):
        return ""

    def share(low: float, high: float) -> bool:
        return sum(low <= number <= high and day_of_number(number) is not None for number in found) >= 0.8 * len(found)

    if share(19000101, 21001231):
        return "dates without separators"
    # 1999 to 2064: a column of counts in just this range is rarer than one of days.
    if share(36161, 60000):
        return "days of a spreadsheet"
    if share(5e8, 4.2e9):
        return "seconds since 1970"
    return "milliseconds since 1970" if share(5e11, 4.2e12) else ""


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str) and not re.fullmatch(r"\d{4,13}(?:[.,]\d{1,10})?", value.strip()):
        return None
    try:
        return float(value.replace(",", ".") if isinstance(value, str) else value)
    except (TypeError, ValueError):
        return None
