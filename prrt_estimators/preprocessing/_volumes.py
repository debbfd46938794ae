"""From scanner grids to one fixed box per patient, once."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed

from prrt_estimators._arguments import parameter
from prrt_estimators._modalities import CT, IMAGING, MODALITIES, PET
from prrt_estimators._validation import ScanTransformer, as_cohort
from prrt_estimators.cohort import Cohort, Volumes
from prrt_estimators.exceptions import CohortError, CohortWarning, FieldOfViewWarning, Problem
from prrt_estimators.preprocessing._boxes import Box, centre_of, field_of_view, into_box, overlap
from prrt_estimators.preprocessing._cache import ScanRecord, VolumeCache
from prrt_estimators.preprocessing._scans import read_scan, remark_on_uptake, remarks_on_values, tell_swapped

#: PET and CT whose fields of view share less than this are not of one examination; below the second it is remarked on.
MIN_OVERLAP, SMALL_OVERLAP = 0.1, 0.5
#: Their middles lie closer than this (mm) from right to left and from front to back: both are of one table.
SAME_TABLE = 50.0


def box_parameters(size: Any, spacing: Any) -> tuple[tuple[int, int, int], tuple[float, float, float]]:
    """Return `size` and `spacing` as triples, one number standing for all three axes."""
    sizes: tuple[Any, ...] = (size,) * 3 if isinstance(size, Integral) else tuple(size)
    spacings: tuple[Any, ...] = (spacing,) * 3 if isinstance(spacing, Real) else tuple(spacing)
    if len(sizes) != 3 or not all(isinstance(n, Integral) and int(n) >= 1 for n in sizes):
        raise ValueError(
            f"{parameter('size')} must be a positive number of voxels, or three; got {size!r}. Pass e.g. 48."
        )
    if len(spacings) != 3 or not all(isinstance(s, Real) and 0 < float(s) < np.inf for s in spacings):
        raise ValueError(
            f"{parameter('spacing')} must be a positive number of mm, or three; got {spacing!r}. Pass e.g. 8."
        )
    (a, b, c), (x, y, z) = map(int, sizes), map(float, spacings)
    return (a, b, c), (x, y, z)


class BoxReader:
    """Voxels of the patients of one cohort in their boxes.

    A patient's box is centred on the field of view of the PET, or of the CT where there is no PET, so that PET
    and CT share one grid and every model of a comparison sees the same part of the body. Volumes given as an
    array are on one grid already and are served as they are.

    Parameters
    ----------
    X : Cohort
    size, spacing : int or float, or three of them
        Voxels and millimetres along Right, Anterior, Superior.
    cache_dir : path, default=None
    """

    def __init__(self, X: Cohort, *, size: Any, spacing: Any, cache_dir: str | os.PathLike[str] | None = None):
        self.X = X
        self.size, self.spacing = box_parameters(size, spacing)
        self.cache = VolumeCache(cache_dir)
        self.remarks: dict[str, list[int]] = {}

    def shape(self, modality: str) -> tuple[int, ...]:
        """Return the voxels along each axis of this modality's volumes."""
        array = self.X[modality].array
        return self.size if array is None else array.shape[2:]

    def load(self, row: int, modality: str) -> np.ndarray:
        """Return the voxels of one present scan: SUVbw float32 or HU int16 from a file, float32 from an array."""
        volumes = self.X[modality]
        if volumes.array is not None:
            return volumes.array[row, 0]
        file = self._prepared(row, modality)
        voxels = self.cache.get(file)
        if voxels is None:
            # Cleared or damaged since it was written: make it again rather than fail.
            file.unlink(missing_ok=True)
            voxels = self.cache.get(self._prepared(row, modality))
        if voxels is None:
            raise OSError(f"the volume cache {self.cache.folder} does not keep what is written; set another cache_dir.")
        return voxels

    def record(self, row: int, modality: str) -> ScanRecord:
        """Return what is known of the file of one present scan, reading it if it is new."""
        return self._known(row, modality)[0]

    def box(self, row: int) -> Box:
        """Return the box of one patient with at least one scan in a file."""
        modality = next(name for name in IMAGING if self._in_file(row, name))
        record = self.record(row, modality)
        return Box(centre_of(record.shape, record.matrix), self.size, self.spacing)

    def _in_file(self, row: int, modality: str) -> bool:
        return modality in self.X and self.X[modality].paths is not None and bool(self.X[modality].present[row])

    def _prepared(self, row: int, modality: str) -> Path:
        record, file = self._known(row, modality)
        if file is None:
            file = self.cache.box_file(record.digest, modality, self.box(row))
        if not file.exists():
            file = self._read(row, modality)[1]
        return file

    def _known(self, row: int, modality: str) -> tuple[ScanRecord, Path | None]:
        record = self.cache.record(self.X[modality].paths[row])
        return (record, None) if record is not None else self._read(row, modality)

    def _read(self, row: int, modality: str) -> tuple[ScanRecord, Path]:
        path = self.X[modality].paths[row]
        scan = read_scan(path, modality, str(self.X.ids[row]))
        record = ScanRecord.of(scan, modality)
        reference = next(name for name in IMAGING if self._in_file(row, name))
        if modality == reference:
            box = Box(centre_of(record.shape, record.matrix), self.size, self.spacing)
        else:
            box = self.box(row)
        file = self.cache.box_file(scan.digest, modality, box)
        if not file.exists():
            self.cache.put(file, into_box(scan.data, scan.affine, box, modality))
        self.cache.put_record(path, scan.stat, record)
        return record, file

    def check(self, row: int, modalities: Sequence[str], beside: Sequence[str] = ()) -> list[Problem]:
        """Prepare the scans of one patient and return what is wrong with them, or with how they lie to others."""
        problems = []
        for name in modalities:
            try:
                if self._in_file(row, name):
                    self._prepared(row, name)
                    remarks = list(self.record(row, name).remarks)
                elif self.X[name].present[row]:
                    check_array(self.X[name].array[row], name)
                    remarks = remarks_on_values(self.X[name].array[row], name)
                else:
                    continue
                for remark in remarks:
                    self.remarks.setdefault(f"{MODALITIES[name].title} holds {remark}", []).append(row)
            except CohortError as error:
                problems += [one for one in error.problems if one not in problems]
            except ValueError as error:
                problems.append(Problem(str(error), "mend the array", patient=str(self.X.ids[row]), column=name))
        named = {*modalities, *beside}
        together = [] if problems else [name for name in IMAGING if name in named and self._in_file(row, name)]
        for name in together[1:]:
            views = [field_of_view(r.shape, r.matrix) for r in (self.record(row, one) for one in (together[0], name))]
            between = np.abs(np.mean(views[0], axis=0) - np.mean(views[1], axis=0))
            shared = (
                f"{MODALITIES[together[0]].title} and {MODALITIES[name].title} share {overlap(*views):.0%} of their field of "
                f"view; centres lie {float(np.linalg.norm(between)):.0f} mm apart"
            )
            if overlap(*views) >= MIN_OVERLAP and (overlap(*views) < SMALL_OVERLAP or between[:2].max() > SAME_TABLE):
                self.remarks.setdefault(shared, []).append(row)
            if overlap(*views) < MIN_OVERLAP:
                problems.append(
                    Problem(
                        shared,
                        "check that both are of one examination and keep the scanner's coordinates",
                        patient=str(self.X.ids[row]),
                        column=name,
                        file=self.X[name].paths[row],
                    )
                )
        return problems


@dataclass(frozen=True)
class BoxInput:
    """The boxes of one modality as inputs of a network."""

    reader: BoxReader
    modality: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one patient."""
        return (1, *self.reader.shape(self.modality))

    def load(self, row: int) -> np.ndarray:
        """Return one present patient's box."""
        return self.reader.load(row, self.modality)


def check_array(voxels: np.ndarray, modality: str) -> None:
    """Check one patient's voxels of an array.

    Raises
    ------
    ValueError
        If some are NaN or infinite.
    """
    wrong = int(np.count_nonzero(~np.isfinite(voxels)))
    if wrong:
        raise ValueError(
            f"{wrong} of {voxels.size} voxels are NaN or infinite (a patient without {modality} has NaN everywhere)"
        )


def prepare_volumes(
    X: Any,
    *,
    modalities: Sequence[str] = IMAGING,
    beside: Sequence[str] = (),
    size: Any = 48,
    spacing: Any = 8.0,
    cache_dir: str | os.PathLike[str] | None = None,
    n_jobs: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    tell_padding: bool = True,
) -> None:
    """Check every scan of a cohort and bring it into its box, opening each file once.

    Parameters
    ----------
    X : Cohort or mapping
    modalities : sequence of str, default=("pet", "ct")
        Which to prepare; those that the cohort does not have are passed over.
    beside : sequence of str, default=()
        Further modalities that were read already and must lie where these do.
    size : int or three, default=48
        Voxels of the box along Right, Anterior, Superior.
    spacing : float or three, default=8.0
        Millimetres between voxel centres.
    cache_dir : path, default=None
        ``$PRRT_CACHE_DIR`` or the user's cache folder if None.
    n_jobs : int, default=None
        Threads; None means 1 unless in a joblib context.
    progress : callable, default=None
        Called with (patients done, patients in all).
    tell_padding : bool, default=True
        Whether to warn of boxes larger than the scans.

    Raises
    ------
    CohortError
        With everything that is wrong with any scan.

    Warns
    -----
    CohortWarning
        If values are not believable as SUV or HU, or PET and CT of a patient lie apart; names the patients.
    FieldOfViewWarning
        If boxes are larger than scans whose extents differ, so that the padding tells the extent of a scan.
    """
    X = as_cohort(X)
    names = [name for name in IMAGING if name in modalities and name in X]
    if not names:
        return
    reader = BoxReader(X, size=size, spacing=spacing, cache_dir=cache_dir)
    found = Parallel(n_jobs=n_jobs, backend="threading", return_as="generator")(
        delayed(reader.check)(row, names, beside) for row in range(len(X))
    )
    problems: list[Problem] = []
    for done, faults in enumerate(found, 1):
        problems += faults
        if progress is not None:
            progress(done, len(X))
    if problems:
        files = {name: int(X[name].present.sum()) if name in names else 0 for name in IMAGING}
        raise CohortError(tell_swapped(problems, files[PET.name], files[CT.name]))
    _warn_of_remarks(reader, names)
    if tell_padding:
        _warn_of_padding(reader)


def _warn_of_remarks(reader: BoxReader, names: Sequence[str]) -> None:
    for remark, rows in sorted(reader.remarks.items(), key=lambda found: (min(found[1]), found[0])):
        ids = [str(reader.X.ids[row]) for row in sorted(rows)]
        more = f" and {len(ids) - 3} more" if len(ids) > 3 else ""
        warnings.warn(f"patient {', '.join(ids[:3])}{more}: {remark}.", CohortWarning, stacklevel=3)
    rows = [row for row in range(len(reader.X)) if PET.name in names and reader._in_file(row, PET.name)]
    read = [reader.record(row, PET.name) for row in rows]
    lengths = [float(np.subtract(*field_of_view(one.shape, one.matrix)[::-1])[2]) for one in read]
    if low := remark_on_uptake([one.summary["max"] for one in read], lengths):
        warnings.warn(f"{low}.", CohortWarning, stacklevel=3)


def _warn_of_padding(reader: BoxReader) -> None:
    extents = []
    for row in range(len(reader.X)):
        name = next((name for name in IMAGING if reader._in_file(row, name)), None)
        if name is not None:
            record = reader.record(row, name)
            low, high = field_of_view(record.shape, record.matrix)
            extents.append(high - low)
    if not extents:
        return
    extent = np.array(extents)
    box = np.array(reader.size) * np.array(reader.spacing)
    padded = (extent < box - 1e-3).any(axis=1)
    visible = np.minimum(extent, box)
    if padded.any() and (np.ptp(visible, axis=0) > 0.05 * box).any():
        small = np.floor(extent.min(axis=0)).astype(int).tolist()
        warnings.warn(
            f"{int(padded.sum())} of {len(extent)} scans are smaller than the box of "
            f"{' x '.join(f'{b:g}' for b in box)} mm and their extents differ, so a model can read from the padding how "
            f"large a region was exported. Every scan holds {' x '.join(map(str, small))} mm; choose size and spacing "
            "within that if the extent was chosen knowing the tumour.",
            FieldOfViewWarning,
            stacklevel=3,
        )


class VolumePreprocessor(ScanTransformer):
    """Bring PET and CT of any orientation and spacing into one fixed box per patient.

    The box is centred on the field of view of the PET (of the CT for a patient without PET), so PET and CT share
    one grid. Interpolation is linear with a Gaussian anti-alias filter when shrinking; outside a scan PET is 0 SUV
    and CT -1024 HU. Prepared voxels are kept on disk, keyed by file content and parameters.

    The estimators of this library do this inside; use the transformer to look at what they see, or in front of
    estimators of your own.

    Parameters
    ----------
    size : int or tuple of 3 ints, default=48
        Voxels along Right, Anterior, Superior.
    spacing : float or tuple of 3 floats, default=8.0
        Millimetres between voxel centres.
    cache_dir : path, default=None
        ``$PRRT_CACHE_DIR`` or the user's cache folder if None.
    n_jobs : int, default=None
        Threads that read files.

    Notes
    -----
    Nothing is learnt from the data: `fit` only checks the parameters. `transform` holds all voxels in memory, 4
    bytes each (442 kB a scan at the defaults).

    Examples
    --------
    >>> import numpy as np
    >>> X = Cohort(dict(pet=np.ones((2, 1, 4, 4, 4)), lab=np.eye(2)))
    >>> scans, _ = VolumePreprocessor().fit_transform(X).values()
    >>> scans.array.shape
    (2, 1, 4, 4, 4)
    """

    def __init__(self, *, size: Any = 48, spacing: Any = 8.0, cache_dir: Any = None, n_jobs: int | None = None):
        self.size = size
        self.spacing = spacing
        self.cache_dir = cache_dir
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any = None) -> VolumePreprocessor:
        """Check the parameters.

        Parameters
        ----------
        X : Cohort or mapping
        y : ignored

        Returns
        -------
        self
        """
        as_cohort(X)
        self.box_ = box_parameters(self.size, self.spacing)
        return self

    def transform(self, X: Any) -> Cohort:
        """Return the cohort with its volumes as arrays of shape (n, 1, D, H, W).

        Parameters
        ----------
        X : Cohort or mapping

        Returns
        -------
        Cohort
            A patient without a scan has NaN everywhere in that modality.

        Raises
        ------
        CohortError
            With everything that is wrong with any scan.
        """
        X = as_cohort(X)
        prepare_volumes(X, size=self.size, spacing=self.spacing, cache_dir=self.cache_dir, n_jobs=self.n_jobs)
        reader = BoxReader(X, size=self.size, spacing=self.spacing, cache_dir=self.cache_dir)
        data: dict[str, Any] = {}
        for name in X.modalities:
            if name not in IMAGING:
                data[name] = X[name]
                continue
            array = np.full((len(X), 1, *reader.shape(name)), np.nan, dtype=np.float32)
            for row in np.flatnonzero(X[name].present):
                array[row, 0] = reader.load(int(row), name)
            known = X[name].spacing if X[name].array is not None else reader.spacing
            data[name] = Volumes(array, spacing=known)
        return Cohort(data, ids=X.ids, masks=X.masks, survival=X.survival, blocks=X.blocks)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "box_")
