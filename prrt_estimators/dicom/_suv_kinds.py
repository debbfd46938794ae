"""Kinds of values that a PET series holds, as far as SUVbw follows from them."""

from __future__ import annotations

from enum import StrEnum


class SUVKind(StrEnum):
    """What the rescaled values of a series are; the text is what records of a cohort hold."""

    ACTIVITY = "BQML"
    BODY_WEIGHT = "GML/BW"
    LEAN_JAMES = "GML/LBM-James128"
    LEAN_JANMAHASATIAN = "GML/LBM-Janmahasatian"
    LEAN_MORGAN = "GML/LBM-Morgan"
    IDEAL_WEIGHT = "GML/IBW"
    BODY_SURFACE = "CM2ML"
    COUNTS_TO_SUV = "CNTS/SUV factor"
    COUNTS_TO_ACTIVITY = "CNTS/activity factor"
    STORED_SUV = "CANON/SUV x 100"

    @property
    def is_activity(self) -> bool:
        """Whether SUVbw is computed from activity, dose and times here, and was not by the scanner.

        Examples
        --------
        >>> SUVKind("BQML").is_activity, SUVKind.BODY_SURFACE.is_activity
        (True, False)
        """
        return self in (SUVKind.ACTIVITY, SUVKind.COUNTS_TO_ACTIVITY)
