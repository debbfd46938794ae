"""The file itself: a zip archive of named parts, each with a digest, under one digest of the whole.

Format 2 is a plain zip archive, so that anybody can look inside. Its first member is named after the format; its
comment, the last bytes of the file, holds the SHA-256 of every byte before. Format 1 had a line of text with the digest
before the archive.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from prrt_estimators.exceptions import SavedModelError

#: Raised whenever older versions of this library can no longer read what is written.
FORMAT = 2

_MARK = "prrt-model-"
_DIGESTS = "digests.json"
_COMMENT = b"sha256:"
_FIRST = b"prrt-model 1 "
_MAX_PARTS = 128
#: Forests unfold to some 40 times their size. Far more than that, beyond so many bytes, is a trap.
_FOLD, _UNFOLDED, _ALTOGETHER = 100, 64 * 2**20, 2**30
_EPOCH = (2000, 1, 1, 0, 0, 0)


def inner_prefix(number: int) -> str:
    """Return with what the names of the parts of a model inside a model begin."""
    return f"model{number}."


def inner_parts(parts: Mapping[str, bytes], number: int) -> dict[str, bytes]:
    """Return the parts of a model inside a model, named as they are for it alone.

    Examples
    --------
    >>> inner_parts({"model.json": b"", "model0.scaler_.skops": b"1", "model1.scaler_.skops": b"2"}, 1)
    {'scaler_.skops': b'2'}
    """
    start = inner_prefix(number)
    return {name.removeprefix(start): content for name, content in parts.items() if name.startswith(start)}


def pack(parts: Mapping[str, bytes]) -> bytes:
    """Return the file that holds these parts.

    Parameters
    ----------
    parts : mapping of str to bytes
        Weights (``.safetensors``) are stored as they are, all else is compressed.

    Raises
    ------
    ValueError
        If there are more than a file is read with.
    """
    if len(parts) + 2 > _MAX_PARTS:
        raise ValueError(
            f"the model has {len(parts)} parts; a file of one holds at most {_MAX_PARTS - 2}. Save its models apart."
        )
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in parts.items()}
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr(zipfile.ZipInfo(f"{_MARK}{FORMAT}", _EPOCH), b"")
        for name, content in {**parts, _DIGESTS: json.dumps(digests, indent=1).encode()}.items():
            info = zipfile.ZipInfo(name, _EPOCH)
            stored = name.endswith(".safetensors")
            info.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
        # Of the right length first: the length stands before it and is part of what it is the digest of.
        archive.comment = _COMMENT + b"0" * 64
    content = body.getvalue()
    return content[:-64] + hashlib.sha256(content[:-64]).hexdigest().encode()


def unpack(file: Path) -> dict[str, bytes]:
    """Return the parts of a file of any format, after checking every digest.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    SavedModelError
        If a byte was changed, it is cut short or longer, it is not such a file, it is of a newer format, or it would
        unfold to more than a model can be.
    """
    if not file.is_file():
        raise FileNotFoundError(f"there is no saved model {file}.")
    raw = file.read_bytes()
    if raw.startswith(_FIRST[:11]):
        return _members(_first_format(raw, file.name), file.name)
    start = raw[30 : 30 + len(_MARK) + 1]
    if raw[:4] != b"PK\x03\x04" or start[:-1] != _MARK.encode():
        raise SavedModelError(f"{file.name} is not a model saved by prrt_estimators; pass a file of save_model.")
    if start[-1:] != str(FORMAT).encode():
        raise SavedModelError(f"{file.name} is of a newer format; update prrt-estimators to read it.")
    end = _COMMENT + hashlib.sha256(raw[:-64]).hexdigest().encode()
    if not raw.endswith(end):
        raise _changed(file.name)
    parts = _members(raw, file.name)
    parts.pop(f"{_MARK}{FORMAT}", None)
    digests = json.loads(parts.pop(_DIGESTS, b"{}"))
    if digests != {name: hashlib.sha256(content).hexdigest() for name, content in parts.items()}:
        raise _changed(file.name)
    return parts


def _first_format(raw: bytes, name: str) -> bytes:
    head, _, payload = raw.partition(b"\n")
    if not head.startswith(_FIRST):
        raise SavedModelError(f"{name} is of a newer format; update prrt-estimators to read it.")
    if head != _FIRST + hashlib.sha256(payload).hexdigest().encode():
        raise _changed(name)
    return payload


def _members(content: bytes, name: str) -> dict[str, bytes]:
    """Return what an archive holds; nothing is written anywhere, so a member's name cannot lead out of a folder."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            _check_entries(entries, len(content), name)
            return {info.filename: _member(archive, info) for info in entries}
    except SavedModelError:
        raise
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, OSError, zlib.error) as error:
        # Its digest is right, so somebody made it so.
        raise SavedModelError(f"{name} is not a model saved by prrt_estimators ({error}); fetch it again.") from error


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """Return one part; never unfolds more than the size that was checked, whatever its stream would give."""
    with archive.open(info) as stream:
        return stream.read(info.file_size)


def _check_entries(entries: list[zipfile.ZipInfo], size: int, name: str) -> None:
    """Refuse an archive that unfolds to far more than it holds, before anything is unfolded."""
    held = sum(info.compress_size for info in entries)
    folded = [info for info in entries if info.compress_type != zipfile.ZIP_STORED]
    if len(entries) > _MAX_PARTS or len({info.filename for info in entries}) < len(entries):
        raise SavedModelError(f"{name} holds {len(entries)} parts, or two of one name; a saved model does not.")
    unfolded = sum(info.file_size for info in folded)
    allowed = min(max(_UNFOLDED, _FOLD * sum(info.compress_size for info in folded)), _ALTOGETHER)
    if unfolded > allowed or held > size or any(info.file_size > size for info in entries if info not in folded):
        raise SavedModelError(
            f"{name} has {size} bytes and would unfold to {sum(info.file_size for info in entries)}, which no saved model "
            "does. It was made to do harm, or by something else; do not trust where it is from."
        )


def check_stored(content: bytes, name: str) -> None:
    """Refuse an archive inside a part that holds anything but plain, uncompressed members.

    Raises
    ------
    SavedModelError
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
    except zipfile.BadZipFile as error:
        raise SavedModelError(f"{name} holds a part that cannot be read ({error}); fetch it again.") from error
    if any(info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size for info in entries) or (
        sum(info.file_size for info in entries) > len(content)
    ):
        raise SavedModelError(f"{name} holds a part that save_model did not write; do not trust where it is from.")


def _changed(name: str) -> SavedModelError:
    return SavedModelError(f"{name} was changed or cut short since it was saved; fetch it again.")
