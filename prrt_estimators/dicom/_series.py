"""The files of one series: found, opened, checked to belong together, and decoded one slice at a time."""

from __future__ import annotations

import io
import os
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from prrt_estimators._extras import import_pydicom, quiet_pydicom
from prrt_estimators._io import is_fault
from prrt_estimators.dicom._elements import instance, label, number, text, texts
from prrt_estimators.dicom._multiframe import frames_of
from prrt_estimators.dicom._opening import UNCOMPRESSED, check_claim, is_file, open_inflated, read_dataset
from prrt_estimators.dicom._unused_bits import without_unused_bits
from prrt_estimators.exceptions import CohortWarning, MissingDependencyError, ScannerFileError

#: Names that promise a DICOM file.
_SUFFIXES = (".dcm", ".dicom", ".ima")
#: Storage classes of CT and PET, single-slice, enhanced and converted.
_IMAGES = ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.128", "1.2.840.10008.5.1.4.1.1.130")
#: Transfer syntaxes that always lose: JPEG baseline and extended, near-lossless JPEG-LS.
_LOSSY = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.81")
#: What all images of a series share, besides its identifier.
_SHARED = {
    "PatientID": "patients",
    "StudyInstanceUID": "studies",
    "Modality": "modalities",
    "FrameOfReferenceUID": "frames of reference",
}

#: A folder, a file, or the files of one series.
Source = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


@dataclass(frozen=True)
class Frame:
    """One image of a series: its header, the file it lies in, and its place in that file."""

    header: Any
    path: Path
    index: int | None = None


def open_series(source: Source, modality: str) -> list[Frame]:
    """Return the images of one series, headers only.

    Parameters
    ----------
    source : path, or sequence of paths
        A folder (with all folders below it), a file, or the files of one series. In a folder, files that are not images
        are passed over.
    modality : {"PT", "CT"}

    Returns
    -------
    list of Frame

    Raises
    ------
    ScannerFileError
        If a file cannot be read, or the images are not those of one series of this modality.
    MissingDependencyError
        If pydicom is not installed.
    """
    import_pydicom()
    paths, named = _files(source)
    frames: list[Frame] = []
    with quiet_pydicom():
        for position, path in enumerate(paths):
            header = _header(path, f"file {position + 1} of {len(paths)}", named)
            if header is None:
                continue
            parts = frames_of(header)
            if parts == [header]:
                frames.append(Frame(header, path))
            else:
                frames += [Frame(part, path, index) for index, part in enumerate(parts)]
        if not frames:
            raise ScannerFileError(
                f"none of {len(paths)} files is a DICOM image. Name the folder of one series, or its files."
            )
        return _one_series(frames, modality)


def _files(source: Source) -> tuple[list[Path], bool]:
    """Return the files to open, and whether the caller named each of them."""
    if not isinstance(source, str | os.PathLike):
        paths = [Path(part) for part in source]
        if not paths:
            raise ScannerFileError("the list of files is empty. Name the files of one series.")
        return paths, True
    path = Path(source)
    if path.is_file():
        return [path], True
    if not path.is_dir():
        raise ScannerFileError("there is no such file or folder. Correct the path.")
    return sorted(_walk(path)), False


def _walk(folder: Path) -> Iterator[Path]:
    def cannot(error: OSError) -> None:
        raise ScannerFileError(f"a folder cannot be read ({error.strerror}). Check its permissions.") from None

    for place, _, names in os.walk(folder, onerror=cannot):
        for name in names:
            path = Path(place) / name
            # Pipes and devices would be waited for; what a link leads nowhere to is told when it is opened.
            if not name.startswith(".") and (path.is_file() or not path.exists()):
                yield path


def _header(path: Path, where: str, named: bool) -> Any:
    """Return the header of an image, None for a file in a folder that is something else."""
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError

    marked = False
    try:
        if not is_file(path):
            raise ScannerFileError(f"{where} is a pipe or device, no file. Leave it out.")
        size = path.stat().st_size
        with open(path, "rb") as handle:
            marked = handle.read(132)[128:] == b"DICM"
            handle.seek(0)
            source = open_inflated(handle, size) if marked else handle
            size = len(source.getbuffer()) if isinstance(source, io.BytesIO) else size
            try:
                header = dcmread(source, stop_before_pixels=True)
            except InvalidDicomError:
                # Old exports lack the preamble; what is then read from a text file has no class.
                handle.seek(0)
                header = dcmread(handle, stop_before_pixels=True, force=True)
                if not (text(header, "SOPClassUID") and text(header, "Modality")):
                    header = None
    except ScannerFileError as error:
        raise ScannerFileError(f"{where}: {error}") from None
    except OSError as error:
        raise ScannerFileError(
            f"{where} cannot be read ({error.strerror}). Check that it is there and its permissions."
        ) from None
    except Exception as error:
        # Whatever a damaged file makes of the parser, it is one damaged file.
        if marked:
            raise ScannerFileError(f"{where} is damaged ({type(error).__name__}). Export or copy it again.") from None
        header = None
    if header is None:
        if size == 0:
            raise ScannerFileError(f"{where} is empty. Export or copy it again.")
        if named or path.suffix.lower() in _SUFFIXES:
            raise ScannerFileError(f"{where} is not a DICOM file. Export or copy it again, or leave it out.")
        return None
    if text(header, "Rows") and text(header, "Columns"):
        check_claim(header, size, where)
        return header
    kinds = [text(header, "SOPClassUID"), text(header.file_meta, "MediaStorageSOPClassUID")]
    if (
        any(kind.startswith(_IMAGES) for kind in kinds)
        or not all(map(_is_class, filter(None, kinds)))
        or not any(kinds)
    ):
        raise ScannerFileError(f"{where} ends within its header. Export or copy it again.")
    # Reports, structures and directories among the images hold no pixels.
    return None


def _is_class(uid: str) -> bool:
    """Return whether an identifier is that of a kind of object; one that is cut or damaged is not."""
    from pydicom.uid import UID

    known = UID(uid)
    return known.is_valid and (known.name != uid or not uid.startswith("1.2.840.10008."))


def _one_series(frames: list[Frame], modality: str) -> list[Frame]:
    """Return the images without localisers, if they are of one series."""
    kept = [frame for frame in frames if not _is_localiser(frame.header)]
    if not kept:
        raise ScannerFileError("every image is a localiser. Name the series of slices.")
    if len(kept) < len(frames):
        warnings.warn(f"{len(frames) - len(kept)} localiser images were left out.", CohortWarning, stacklevel=5)
    series: dict[str, list[Frame]] = {}
    for frame in kept:
        series.setdefault(text(frame.header, "SeriesInstanceUID"), []).append(frame)
    if len(series) > 1:
        told = ", ".join(f"{len(part)} {text(part[0].header, 'Modality') or 'unknown'}" for part in series.values())
        raise ScannerFileError(f"the images belong to {len(series)} series ({told}). Name the files of one series.")
    for keyword, what in _SHARED.items():
        found = Counter(text(frame.header, keyword) for frame in kept)
        if len(found) > 1:
            counts = " and ".join(str(count) for count in found.values())
            raise ScannerFileError(
                f"the series mixes {len(found)} {what} ({counts} images). Export it again, or name the files that belong "
                "together."
            )
    written = text(kept[0].header, "Modality")
    if written != modality:
        raise ScannerFileError(f"expected a series of modality {modality}, got {written or 'one without a modality'}.")
    if any((number(frame.header, "SamplesPerPixel") or 1) != 1 for frame in kept):
        raise ScannerFileError(
            "the images are in colour: screen captures, no measured values. Name the original series."
        )
    return kept


def _is_localiser(header: Any) -> bool:
    return "LOCALIZER" in texts(header, "ImageType") + texts(header, "FrameType")


def pixels(frames: Iterable[Frame]) -> Iterator[np.ndarray]:
    """Decode the stored values of one image after the other.

    Parameters
    ----------
    frames : iterable of Frame

    Yields
    ------
    ndarray of shape (rows, columns)
        Stored values, before slope and intercept.

    Raises
    ------
    ScannerFileError
        If the pixels are missing, end early or cannot be decoded.
    MissingDependencyError
        If no decoder for their compression is installed.
    """
    held: tuple[Path, np.ndarray] | None = None
    for frame in frames:
        with quiet_pydicom():
            if frame.index is None:
                values = _decode(frame.path, frame.header)
            else:
                if held is None or held[0] != frame.path:
                    held = frame.path, _decode(frame.path, frame.header)
                values = held[1] if held[1].ndim == 2 else held[1][frame.index]
        yield values


def _decode(path: Path, header: Any) -> np.ndarray:
    name = instance(header)
    try:
        whole = read_dataset(path)
    except ScannerFileError as error:
        raise ScannerFileError(f"{name}: {error}") from None
    except Exception as error:
        raise ScannerFileError(f"{name} cannot be read ({type(error).__name__}). Copy it again.") from None
    kind = next((key for key in ("PixelData", "FloatPixelData", "DoubleFloatPixelData") if key in whole), None)
    if kind is None or not whole[kind].value:
        raise ScannerFileError(f"{name} holds no pixels: its file ends early. Export or copy it again.")
    syntax = whole.file_meta.get("TransferSyntaxUID") if hasattr(whole, "file_meta") else None
    if syntax is None:
        # Without a file header the standard's default applies.
        from pydicom.dataset import FileMetaDataset
        from pydicom.uid import ImplicitVRLittleEndian

        whole.file_meta = FileMetaDataset()
        syntax = whole.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    if syntax not in UNCOMPRESSED:
        _need_decoder(syntax)
    else:
        expected = (
            int(number(whole, "Rows") or 0)
            * int(number(whole, "Columns") or 0)
            * int(number(whole, "NumberOfFrames") or 1)
            * int(number(whole, "BitsAllocated") or 0)
            // 8
        )
        if len(whole[kind].value) < expected:
            raise ScannerFileError(
                f"{name} ends early: {len(whole[kind].value)} of {expected} bytes of pixels are there. Export or copy it "
                "again."
            )
    try:
        return without_unused_bits(whole.pixel_array, whole)
    except ScannerFileError:
        raise
    except BaseException as error:
        if not is_fault(error):
            raise
        raise ScannerFileError(
            f"the pixels of {name} cannot be decoded ({type(error).__name__}). Export or copy it again."
        ) from None


def _need_decoder(syntax: Any) -> None:
    from pydicom.pixels import get_decoder

    try:
        available = get_decoder(syntax).is_available
    except (NotImplementedError, ValueError):
        raise ScannerFileError(
            f"pixels written as {syntax.name} cannot be read. Export the series uncompressed."
        ) from None
    if not available:
        raise MissingDependencyError(
            f"the pixels are compressed as {syntax.name}; install a decoder with: "
            'pip install "prrt-estimators[dicom-compressed]", or export the series uncompressed'
        )


def rescale(header: Any) -> tuple[float, float]:
    """Return slope and intercept, which every PET and CT image has."""
    slope, intercept = number(header, "RescaleSlope"), number(header, "RescaleIntercept")
    if slope is None or slope == 0:
        state = "missing" if slope is None else "zero"
        raise ScannerFileError(
            f"{label('RescaleSlope')} of {instance(header)} is {state}, so its stored values mean nothing. Export the "
            "original images."
        )
    if intercept is None:
        raise ScannerFileError(
            f"{label('RescaleIntercept')} of {instance(header)} is missing, so its stored values mean nothing. Export the "
            "original images."
        )
    return slope, intercept


def is_lossy(header: Any) -> bool:
    """Tell whether pixels were compressed with loss: the header says so, or their transfer syntax always loses."""
    syntax = getattr(header, "file_meta", {}).get("TransferSyntaxUID")
    return text(header, "LossyImageCompression") == "01" or syntax in _LOSSY
