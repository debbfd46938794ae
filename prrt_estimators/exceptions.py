"""Named errors and warnings, so that callers can catch what they can mend."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from prrt_estimators._text import shown_text


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a cohort, and how to mend it.

    Parameters
    ----------
    what : str
        What is wrong: what was expected and what came.
    remedy : str
        What the user can do about it.
    patient : str, default=None
        Pseudonymous patient id from the user's own table.
    column : str, default=None
        Column or modality concerned.
    file : str, default=None
        File concerned.
    code : str, default=""
        Kind of the problem, for decisions; the wording of `what` is for readers only.
    argument : str, default=None
        Argument of the function called that is concerned.
    value : object, default=None
        What came.

    Examples
    --------
    >>> print(Problem("file does not exist", "correct the path", patient="P1", column="scan", file="a.nii"))
    patient P1, scan (a.nii): file does not exist. Remedy: correct the path.
    """

    what: str
    remedy: str
    patient: str | None = None
    column: str | None = None
    file: str | None = None
    code: str = ""
    argument: str | None = None
    value: Any = field(default=None, compare=False)

    def __str__(self) -> str:
        where = ", ".join(
            part for part in (self.patient and f"patient {self.patient}", self.column) if part is not None
        )
        if self.file:
            where = f"{where} ({self.file})" if where else self.file
        text = f"{self.what.rstrip('.')}. Remedy: {self.remedy.rstrip('.')}."
        return shown_text(f"{where}: {text}" if where else text)


class CohortError(ValueError):
    """Everything that is wrong with a cohort, listed at once.

    Parameters
    ----------
    problems : sequence of Problem
        At least one.
    """

    #: How many problems the message spells out; ``problems`` holds them all.
    shown = 50

    def __init__(self, problems: Sequence[Problem]):
        self.problems = list(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        if len(self.problems) == 1:
            return str(self.problems[0])
        lines = [f"{len(self.problems)} problems in the cohort:"]
        lines += [f"  {k}. {problem}" for k, problem in enumerate(self.problems[: self.shown], 1)]
        if len(self.problems) > self.shown:
            lines.append(f"  ... and {len(self.problems) - self.shown} more (see the `problems` attribute)")
        return "\n".join(lines)


class LeakageError(CohortError):
    """A column that is known only after therapy was named as a predictor."""


class MissingModalityError(ValueError):
    """An estimator needs a modality that the data do not have.

    Parameters
    ----------
    text : str, default=""
        The message.
    modalities : iterable of str, default=()
        Modalities that are missing, one of which is enough where an estimator takes either.
    estimator : str, default=None
        Name of the class that needs them.

    Examples
    --------
    >>> error = MissingModalityError("LabPFSClassifier needs 'lab'", modalities=["lab"], estimator="LabPFSClassifier")
    >>> error.modality, error.modalities, error.estimator
    ('lab', ('lab',), 'LabPFSClassifier')
    """

    def __init__(self, text: str = "", *, modalities: Iterable[str] = (), estimator: str | None = None):
        super().__init__(text)
        self.modalities, self.estimator = tuple(modalities), estimator

    @classmethod
    def of(
        cls, estimator: str, needed: Iterable[str], present: Iterable[str] | None, *, either: bool = False
    ) -> MissingModalityError:
        """Return the error of an estimator that needs modalities; `present` is None for a plain table.

        Examples
        --------
        >>> str(MissingModalityError.of("LabPFSClassifier", ["lab"], ["mr"]))
        "LabPFSClassifier needs 'lab'; the data have mr."
        """
        needed = (needed,) if isinstance(needed, str) else tuple(needed)
        wanted = (" or " if either else " and ").join(map(repr, needed))
        there = "are one table" if present is None else f"have {', '.join(present) or 'none'}"
        return cls(f"{estimator} needs {wanted}; the data {there}.", modalities=needed, estimator=estimator)

    @property
    def modality(self) -> str | None:
        """The first modality that is missing; None if none is named."""
        return next(iter(self.modalities), None)


class MissingDependencyError(ImportError):
    """An optional package is not installed; the message names the install command."""


class RunMismatchError(ValueError):
    """A results folder holds a run on other data."""


class SavedModelError(ValueError):
    """A saved model is damaged, was altered or cannot be read."""


class ScannerFileError(ValueError):
    """A DICOM series cannot be made a volume; the message says which tag or file, and names no patient."""


class ContourError(ValueError):
    """A contour object or a mask cannot be used.

    Parameters
    ----------
    what : str
        What is wrong: what was expected and what came. It names no patient and no structure.
    remedy : str
        What the user can do about it.
    file : str, default=None
        The file concerned.

    Examples
    --------
    >>> print(ContourError("the file holds negative values", "give the mask, not the scan", file="mask.nii.gz"))
    mask.nii.gz: the file holds negative values. Remedy: give the mask, not the scan.
    """

    def __init__(self, what: str, remedy: str, file: str | None = None):
        self.what, self.remedy, self.file = what, remedy, file
        super().__init__(what, remedy, file)

    def __str__(self) -> str:
        return str(Problem(self.what, self.remedy, file=self.file))


class SUVError(ScannerFileError):
    """A PET series does not hold what its SUV needs, or holds what cannot be."""


class PretrainedWeightsError(ValueError):
    """A weight file is unknown, damaged, of another digest or does not fit its network.

    Parameters
    ----------
    text : str, default=""
        The message.
    kind : {"unknown", "absent", "damaged", "misfit"}, default="misfit"
        No weights of that name; not on this machine; another digest, or not readable; or not for this network, modality
        or setting.

    Examples
    --------
    >>> PretrainedWeightsError("there are no weights called 'x'", kind="unknown").kind
    'unknown'
    """

    def __init__(self, text: str = "", *, kind: str = "misfit"):
        super().__init__(text)
        self.kind = kind


class CohortWarning(UserWarning):
    """Something about the cohort that the user should know."""


class NothingKnownWarning(CohortWarning):
    """Nothing that a model looks at is known of a patient, so that the probability carries no information on this patient."""


class CensoredPatientsWarning(CohortWarning):
    """Patients censored before the horizon: their class is unknown."""


class FieldOfViewWarning(CohortWarning):
    """The fixed box shows more than the scans hold."""


class PositiveClassWarning(UserWarning):
    """Labels do not say which class is long PFS, and the greater number is taken."""


class MarkersMissingWarning(UserWarning):
    """The published markers of a baseline are not in the table."""


class FewEventsWarning(UserWarning):
    """Too few patients progressed for a survival model."""


class ResultsWarning(UserWarning):
    """A result that needs care when it is read."""


class SUVWarning(UserWarning):
    """An SUV could be computed, but something about its acquisition should be looked at."""


class PretrainingOverlapWarning(UserWarning):
    """Patients that are predicted were among those whose scans an encoder was pretrained on."""


class StorageWarning(UserWarning):
    """A file system lacks a call that makes writing safer; files are written all the same."""


class ExplanationWarning(UserWarning):
    """An explanation that means little, such as the map of a model no better than chance."""
