"""Saved models taken apart and put together again, as somebody who means harm could."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path


def parts_of(file: Path) -> dict[str, bytes]:
    """Return the members of a saved model."""
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def sealed(archive: bytes) -> bytes:
    """Return an archive with the digest of its bytes as its comment."""
    body = archive[:-2] + (71).to_bytes(2, "little") + b"sha256:"
    return body + hashlib.sha256(body).hexdigest().encode()


def archive_of(parts: Mapping[str, bytes], *, first: str = "prrt-model-2", method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip archive with right digests of its parts, not sealed yet."""
    rest = {name: content for name, content in parts.items() if name not in ("prrt-model-2", "digests.json")}
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in rest.items()}
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", method) as archive:
        archive.writestr(zipfile.ZipInfo(first), b"")
        for name, content in {**rest, "digests.json": json.dumps(digests).encode()}.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return body.getvalue()


def forge(target: Path, source: Path, changed: Mapping[str, bytes | None] | None = None) -> Path:
    """Write a copy of a saved model with some parts changed and every digest right; None takes a part out."""
    parts: dict[str, bytes | None] = {**parts_of(source), **(changed or {})}
    target.write_bytes(sealed(archive_of({name: content for name, content in parts.items() if content is not None})))
    return target


def forge_config(target: Path, source: Path, change) -> Path:
    """Write a copy of a saved model whose ``model.json`` went through a function."""
    config = json.loads(parts_of(source)["model.json"])
    return forge(target, source, {"model.json": json.dumps(change(config) or config).encode()})


def unfolded(file: Path) -> bytes:
    """Return every byte that a saved model holds, compressed or not, of archives inside parts too."""
    everything = file.read_bytes()
    for name, content in parts_of(file).items():
        everything += name.encode() + content
        if name.endswith(".skops"):
            with zipfile.ZipFile(io.BytesIO(content)) as inner:
                everything += b"".join(inner.read(member) for member in inner.namelist())
    return everything
