"""Links to the reference of other projects, where their lists of names are at hand.

A build needs no network: without ``PRRT_DOCS_INVENTORIES``, names of other projects stay plain text. Set it to a folder that holds
``sklearn.inv``, ``pandas.inv``, ``torch.inv``, ``monai.inv`` or some of them, each the ``objects.inv`` of that project, or to
``online`` to download those that can be reached::

    PRRT_DOCS_INVENTORIES=online python docs/scripts/build.py
"""

from __future__ import annotations

import os
import sys
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

VARIABLE = "PRRT_DOCS_INVENTORIES"
#: Package -> where its reference is.
REFERENCES = {
    "sklearn": "https://scikit-learn.org/stable/",
    "pandas": "https://pandas.pydata.org/docs/",
    "torch": "https://docs.pytorch.org/docs/stable/",
    "monai": "https://docs.monai.io/en/stable/",
}
#: How docstrings name types of these projects -> their full names.
TYPES = {
    "DataFrame": "pandas.DataFrame",
    "Series": "pandas.Series",
    "Module": "torch.nn.Module",
    "Tensor": "torch.Tensor",
    "LogisticRegression": "sklearn.linear_model.LogisticRegression",
    "Pipeline": "sklearn.pipeline.Pipeline",
    "Bunch": "sklearn.utils.Bunch",
}
_SECONDS = 10.0
#: What each list of names begins with.
_HEAD = b"# Sphinx inventory version"


def inventories(
    source: str | None, cache: Path, fetch: Callable[[str], bytes] | None = None
) -> dict[str, tuple[str, str]]:
    """Return what Sphinx calls ``intersphinx_mapping``, of the projects whose names are at hand.

    Parameters
    ----------
    source : str or None
        A folder, ``"online"``, or nothing.
    cache : Path
        Folder for downloads.
    fetch : callable, default=None
        From an address to what is there; raises OSError if it cannot be reached.
    """
    if not source:
        return {}
    folder = cache if source == "online" else Path(source)
    if source == "online":
        folder.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda name: _download(name, folder, fetch or _read), REFERENCES))
    elif not folder.is_dir():
        raise NotADirectoryError(
            f"{VARIABLE} must be a folder of inventories, or 'online'; there is no folder {source}."
        )
    found = {
        name: (url, str((folder / f"{name}.inv").resolve()))
        for name, url in REFERENCES.items()
        if _is_inventory(folder / f"{name}.inv")
    }
    missing = [name for name in REFERENCES if name not in found]
    if missing:
        print(f"No inventory of {', '.join(missing)}: their names stay plain text.", file=sys.stderr)
    return found


def types(mapping: dict[str, tuple[str, str]]) -> dict[str, str]:
    """Return the types of docstrings that become links, those of the projects that are linked to."""
    return {word: full for word, full in TYPES.items() if full.split(".")[0] in mapping}


def _is_inventory(file: Path) -> bool:
    return file.is_file() and file.read_bytes().startswith(_HEAD)


def _download(name: str, folder: Path, fetch: Callable[[str], bytes]) -> None:
    try:
        data = fetch(REFERENCES[name] + "objects.inv")
    except OSError:
        return  # that of an earlier build stays
    if data.startswith(_HEAD):  # and not a page that says that there is nothing
        temporary = folder / f"{name}.part"
        temporary.write_bytes(data)
        os.replace(temporary, folder / f"{name}.inv")


def _read(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=_SECONDS) as answer:
        return answer.read()
