"""The folder of a run: splits, finished folds, run.json, and one writer at a time."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from filelock import Timeout

from prrt_estimators._io import absolute, atomic_write, folder_lock, make_folder, sweep
from prrt_estimators._model_specs import first_name
from prrt_estimators.exceptions import RunMismatchError
from prrt_estimators.model_selection._environment import FORMAT, READABLE
from prrt_estimators.model_selection._fold import Split, read_record
from prrt_estimators.model_selection._seal import is_whole, sealed

_UNFINISHED = re.compile(r"\.(scores|predictions|summary|patients|run|splits|\d+-\d+)-\w+\.(csv|json)")


class RunInProgressError(OSError):
    """Another process is writing to the results folder."""


def folder_name(model: str) -> str:
    """File name of a model: its own name where that is safe on every system, else a slug with a digest.

    Examples
    --------
    >>> folder_name("pet_ct_lab"), folder_name("a/b")
    ('pet_ct_lab', 'a_b-c14cddc0')
    """
    slug = re.sub(r"[^A-Za-z0-9_.-]", "_", model).lstrip(".")
    # PET and pet are one folder on some file systems.
    if slug == model and slug == slug.lower():
        return model
    return f"{slug[:60]}-{hashlib.sha256(model.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"


class RunStore:
    """Files of one comparison.

    Parameters
    ----------
    folder : path
        Made if it does not exist.
    """

    def __init__(self, folder: str | os.PathLike[str]):
        self.folder = Path(absolute(folder))

    @contextlib.contextmanager
    def locked(self, *, wait: float = 0, part: tuple[int, int] | None = None) -> Iterator[None]:
        """Hold the folder, or one part of its folds, for this process.

        The operating system lets go when the process ends in any way.

        Parameters
        ----------
        wait : float, default=0
            Seconds to wait for another process.
        part : tuple of int, default=None
            Number of the part and of parts: others may hold other parts.
        """
        if self.folder.exists() and not self.folder.is_dir():
            raise NotADirectoryError(f"the results folder {self.folder} is a file; name another one.")
        make_folder(self.folder)
        name = ".lock" if part is None else f".lock-part-{part[0]}-of-{part[1]}"
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(folder_lock(self.folder, name, wait=wait))
            except Timeout:
                held = self.folder if part is None else f"part {part[0]} of {part[1]} in {self.folder}"
                raise RunInProgressError(
                    f"another process is writing to {held}. Wait until it has finished, stop it, or give this "
                    "run a folder of its own."
                ) from None
            if part is None and not self.parts_at_work():
                self._sweep()
            yield

    def parts_at_work(self) -> list[str]:
        """Return the parts that other processes hold now, such as "2 of 8"."""
        held = []
        for path in sorted(self.folder.glob(".lock-part-*-of-*")):
            try:
                with folder_lock(self.folder, path.name):
                    pass
            except Timeout:
                held.append(path.name.removeprefix(".lock-part-").replace("-of-", " of "))
        return held

    def _sweep(self) -> None:
        """Remove the unfinished files of a run that was killed."""
        for folder in (self.folder, *self.folder.glob("folds/*"), *self.folder.glob("figures"), *self._explained()):
            sweep(folder)
        # As they were called before.
        for pattern in (".*-*.csv", ".*-*.json", "folds/*/.*-*.json"):
            for path in self.folder.glob(pattern):
                if _UNFINISHED.match(path.name):
                    path.unlink(missing_ok=True)

    def _explained(self) -> Iterator[Path]:
        for folder in self.folder.glob("explain"):
            yield from (folder, *(inside for inside in folder.glob("**/") if inside != folder))

    def read_run(self, digest: str) -> dict[str, Any] | None:
        """Return the content of run.json, None in a new folder.

        Raises
        ------
        RunMismatchError
            If the folder holds a run on other data, or of a format that is not known.
        """
        run = _read_json(self.folder / "run.json")
        if run is None:
            return None
        if run.get("format") not in READABLE:
            raise RunMismatchError(
                f"{self.folder} was written by another version of this package (format {run.get('format')}, this "
                f"one writes {FORMAT}). Give this run a new folder."
            )
        if not isinstance(run.get("data"), dict) or "random_state" not in run:
            raise _damaged(self.folder / "run.json")
        if run["data"].get("digest") != digest:
            raise RunMismatchError(
                f"{self.folder} holds a comparison on other data: patients, values, targets, weights or files "
                "have changed since. Give this run a new folder, or delete that one if its results are not needed."
            )
        return run

    def write_run(self, run: dict[str, Any]) -> None:
        """Replace run.json."""
        with atomic_write(self.folder / "run.json") as temporary:
            temporary.write_text(json.dumps(sealed(run), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    def read_splits(self, cv: str) -> list[Split] | None:
        """Splits that were drawn for the splitter of this text, None if there are none."""
        stored = _read_json(self.folder / "splits.json")
        if stored is None or stored.get("cv") != cv:
            return None
        try:
            n = int(stored["n_patients"])
            splits = []
            for number, one in enumerate(stored["splits"]):
                test = np.array(one["test"], dtype=np.intp)
                train = np.array(one["train"], dtype=np.intp) if "train" in one else _others(test, n)
                splits.append(Split(number, one["repeat"], one["fold"], train, test))
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(self.folder / "splits.json") from error
        return splits

    def write_splits(self, cv: str, splits: list[Split], n_patients: int) -> None:
        """Keep the splits, so that a splitter that draws at random is drawn once for all resumptions."""
        rows: list[dict[str, Any]] = []
        for split in splits:
            row: dict[str, Any] = {"repeat": split.repeat, "fold": split.fold, "test": split.test.tolist()}
            if not np.array_equal(split.train, _others(split.test, n_patients)):
                row["train"] = split.train.tolist()
            rows.append(row)
        text = json.dumps(sealed({"cv": cv, "n_patients": n_patients, "splits": rows}))
        with atomic_write(self.folder / "splits.json") as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")

    def fold_file(self, model: str, split: Split) -> Path:
        """Where the record of a fold lies."""
        return self.folder / "folds" / folder_name(model) / f"{split.repeat}-{split.fold}.json"

    def finished(self, model: str, split: Split, key: str, old_key: Callable[[], str]) -> dict[str, Any] | None:
        """Record of this fold if it is finished and was made from the same inputs, in this version or the last."""
        for name in dict.fromkeys((model, first_name(model))):
            record = read_record(self.fold_file(name, split))
            if record is not None and (record["key"] == key or ("p_long" in record and record["key"] == old_key())):
                return record
        return None


def _others(rows: np.ndarray, n: int) -> np.ndarray:
    return np.setdiff1d(np.arange(n), rows, assume_unique=True)


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        found = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not is_whole(found):
        raise _damaged(path)
    return found


def _damaged(path: Path) -> RunMismatchError:
    return RunMismatchError(
        f"{path} is damaged and cannot be read. Delete this file to run again with the folds that are there."
    )
