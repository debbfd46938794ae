"""Images and arrays of other libraries as what a cohort is made of: files on a grid of their own, or one array."""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping, Set
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
from scipy.sparse import issparse

from prrt_estimators._pandas_tables import as_frame

#: What `as_cohort` and `Cohort` accept, for messages.
FORMS = (
    "a Cohort, a mapping such as {'pet': paths, 'lab': table}, a list of records [{'pet': path, ...}, ...], one scan per "
    "patient (paths, nibabel images, MetaTensors, pairs (array, affine), or an array of shape (n, 1, D, H, W)), or a 2-D table"
)
#: Spaces of MONAI whose first two axes run the other way.
_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
#: Kinds of numbers that a NIfTI file keeps as they are.
_KEPT = ("uint8", "int16", "uint16", "int32", "float32")
#: The folder of each process for images that lie in memory only.
_folders: dict[int, Path] = {}


def as_array(values: Any) -> Any:
    """Return a torch tensor as an array, without its gradient and from whatever device; anything else as it is.

    Examples
    --------
    >>> import torch
    >>> as_array(torch.ones(2, requires_grad=True)), as_array("text")
    (array([1., 1.], dtype=float32), 'text')
    """
    if hasattr(values, "detach") and hasattr(values, "cpu"):
        values = values.detach().cpu()
        if str(values.dtype) == "torch.bfloat16":  # numpy has no such numbers
            values = values.float()
        # A MetaTensor would give one again.
        return values.as_tensor().numpy() if hasattr(values, "as_tensor") else values.numpy()
    return values


def is_image(item: Any) -> bool:
    """Return whether something is voxels that know where they lie.

    Examples
    --------
    >>> is_image(nib.Nifti1Image(np.zeros((2, 2, 2)), np.eye(4))), is_image((np.zeros((2, 2, 2)), np.eye(4)))
    (True, True)
    >>> is_image("a.nii.gz"), is_image(np.zeros((2, 2, 2)))
    (False, False)
    """
    if isinstance(item, (tuple, list)):
        return len(item) == 2 and getattr(item[0], "ndim", 0) >= 3 and getattr(item[1], "shape", None) == (4, 4)
    return hasattr(item, "affine") and (hasattr(item, "dataobj") or hasattr(item, "detach"))


def plain_form(X: Any) -> Any:
    """Return patients in a container of another library as the table or list that it holds; anything else as it is.

    Tables of polars and pyarrow and arrays with named fields become a DataFrame; columns of polars and pyarrow, views, queues,
    datasets of torch and MONAI, arrays and Series of mappings, and Series as records become a list.

    Raises
    ------
    TypeError
        If X can be read only once.

    Examples
    --------
    >>> from collections import deque
    >>> plain_form(deque(["a.nii.gz"])), plain_form(np.array([(95.0,)], dtype=[("CgA", float)])).columns.tolist()
    (['a.nii.gz'], ['CgA'])
    >>> plain_form(one for one in "ab")
    Traceback (most recent call last):
    ...
    TypeError: X is a generator, which can be read only once. Pass list(X).
    """
    X = as_frame(X)
    if isinstance(X, Iterator):
        raise TypeError(f"X is a {type(X).__name__}, which can be read only once. Pass list(X).")
    if isinstance(X, np.ndarray):
        if X.dtype.names is not None and X.ndim == 1:
            return pd.DataFrame.from_records(X)
        return X.tolist() if X.dtype == object and X.ndim == 1 and are_records(X.tolist()) else X
    if isinstance(X, pd.Series):
        return X.tolist() if X.dtype == object and are_records(X.tolist()) else X
    if isinstance(X, (list, tuple)):
        return [one.to_dict() for one in X] if X and all(isinstance(one, pd.Series) for one in X) else X
    for method in ("to_pylist", "to_list"):  # of pyarrow and polars
        if hasattr(X, method) and not hasattr(X, "iloc"):
            return getattr(X, method)()
    if isinstance(X, (str, bytes, os.PathLike, Mapping)) or hasattr(X, "shape") or is_image(X):
        return X
    if isinstance(X, Collection) and not isinstance(X, Set):  # a set has no order
        return list(X)
    if hasattr(X, "__len__") and hasattr(X, "__getitem__") and not issparse(X):
        return [X[k] for k in range(len(X))]
    return X


def are_records(X: Any) -> bool:
    """Return whether something is a list of mappings, one per patient.

    Examples
    --------
    >>> are_records([{"CgA": 95}]), are_records([]), are_records([[1.0]])
    (True, False, False)
    """
    return isinstance(X, (list, tuple)) and len(X) > 0 and all(isinstance(one, Mapping) for one in X)


def are_scans(X: Any, one_modality: bool) -> bool:
    """Return whether something is the scans of one modality: an image, an array of four axes or more, or a list of these or paths.

    Parameters
    ----------
    X : object
    one_modality : bool
        Whether a list of text or an array of three axes can be nothing else.

    Examples
    --------
    >>> are_scans(["a.nii.gz", None], False), are_scans([[1.0]], False), are_scans(np.zeros((3, 4, 5)), True)
    (True, False, True)
    """
    if is_image(X) or (one_modality and isinstance(X, (str, os.PathLike))):
        return True
    if hasattr(X, "ndim") and X.ndim != 1:
        return X.ndim in (4, 5) or (X.ndim == 3 and one_modality)
    if not (isinstance(X, (list, tuple)) or hasattr(X, "tolist")):
        return False
    known = [one for one in X if one is not None]
    return bool(known) and all(
        is_image(one)
        or isinstance(one, os.PathLike)
        or (isinstance(one, bytes) and one_modality)
        or (isinstance(one, str) and (one_modality or one.lower().endswith((".nii", ".nii.gz"))))
        or (hasattr(one, "ndim") and one.ndim >= 3)
        for one in known
    )


def scans_of(items: Any) -> Any:
    """Return scans of one modality as a list of paths or as one array.

    Images that know where they lie become files: their own where they were read from one, else one in a temporary folder
    that goes when Python ends. Arrays of one grid are stacked; one array of three axes is one patient.

    Parameters
    ----------
    items : sequence, array, tensor or image

    Returns
    -------
    sequence of path or None, or ndarray

    Raises
    ------
    TypeError
        If arrays without a place in space have several shapes.
    ValueError
        If an image holds several volumes.
    """
    if is_image(items):
        return _batch(items)
    items = as_array(items)
    if hasattr(items, "ndim") and items.ndim > 1:
        return items[None, None] if items.ndim == 3 else items
    if isinstance(items, (str, bytes, os.PathLike)):
        items = [items]
    listed = [os.fsdecode(item) if isinstance(item, bytes) else item for item in items]
    if any(is_image(item) for item in listed):
        return [image_file(item) if is_image(item) else item for item in listed]
    arrays = [as_array(item) for item in listed]
    if any(hasattr(item, "ndim") and item.ndim > 1 for item in arrays):
        return _stacked(arrays)
    return listed


def image_file(image: Any) -> str:
    """Return the file of an image: its own, if it was read from a NIfTI file and not changed, else one that is written."""
    own = image.get_filename() if hasattr(image, "get_filename") else None
    if (
        own is not None
        and nib.is_proxy(image.dataobj)
        and str(own).endswith((".nii", ".nii.gz"))
        and os.path.isfile(own)
    ):
        return os.fspath(own)
    values, affine = _voxels(image)
    digest = hashlib.sha256(repr((values.shape, values.dtype.str)).encode())
    digest.update(np.ascontiguousarray(affine).tobytes())
    digest.update(np.ascontiguousarray(values).tobytes())
    target = _folder() / f"{digest.hexdigest()[:32]}.nii"
    if not target.is_file():
        partly = target.with_name(f"{target.stem}.{os.getpid()}.nii")
        nib.save(nib.Nifti1Image(values, affine), partly)
        os.replace(partly, target)
    return str(target)


def _voxels(image: Any) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(image, (tuple, list)):
        values, affine = image
    elif hasattr(image, "dataobj"):
        values, affine = np.asanyarray(image.dataobj), image.affine
    else:
        values, affine = image, image.affine
        if str(getattr(image, "meta", {}).get("space", "RAS")) == "LPS":
            affine = _LPS @ np.asarray(as_array(affine))
    values = np.asarray(as_array(values))
    shape = values.shape
    if values.ndim == 4 and shape[-1] == 1:
        values = values[..., 0]
    elif values.ndim == 4 and shape[0] == 1:
        values = values[0]
    if values.ndim != 3:
        raise ValueError(
            f"one image per patient has three axes; got one of shape {shape}. Pass one volume per patient."
        )
    if values.dtype.kind not in "fiub":
        raise TypeError(f"volumes must hold numbers; got an image of dtype {values.dtype}.")
    if values.dtype.name not in _KEPT:
        values = values.astype(np.uint8 if values.dtype.kind == "b" else np.float32)
    return values, np.asarray(as_array(affine), dtype=np.float64)


def _batch(image: Any) -> list[str]:
    """Return the files of an image, or of a batch of them as MONAI's loaders give it: (n, 1, D, H, W)."""
    if isinstance(image, (tuple, list)) or hasattr(image, "dataobj"):
        return [image_file(image)]
    values, affine = np.asarray(as_array(image)), np.asarray(as_array(image.affine))
    if values.ndim < 5 and not (values.ndim == 4 and values.shape[0] > 1):
        return [image_file(image)]
    if str(getattr(image, "meta", {}).get("space", "RAS")) == "LPS":
        affine = _LPS @ affine
    places = np.broadcast_to(affine, (len(values), 4, 4))
    return [image_file((one, place)) for one, place in zip(values, places, strict=True)]


def _stacked(arrays: list[Any]) -> np.ndarray:
    """Return one array of the arrays of patients; a patient without a scan is NaN."""
    shapes = {np.shape(one) for one in arrays if one is not None}
    if len(shapes) > 1 or any(isinstance(one, (str, os.PathLike)) for one in arrays):
        raise TypeError(
            "volumes in a list must be paths, images that know where they lie (nibabel, MetaTensor, pairs (array, affine)), or "
            f"arrays of one shape; got {len(shapes)} shapes: {', '.join(map(str, sorted(shapes)[:3]))}. Give the affine of each."
        )
    (shape,) = shapes
    nothing = np.full(shape, np.nan, dtype=np.float32)
    return np.stack([nothing if one is None else np.asarray(one) for one in arrays])


def _folder() -> Path:
    own = os.getpid()
    if own not in _folders:
        _folders[own] = Path(tempfile.mkdtemp(prefix="prrt_images_"))
        atexit.register(_remove, own)
    return _folders[own]


def _remove(process: int) -> None:
    # A forked child leaves by the same door and must not take away the files of its parent.
    if process == os.getpid():
        shutil.rmtree(_folders[process], ignore_errors=True)


def by_lower_name(data: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return a mapping with its names in lower case.

    Raises
    ------
    ValueError
        If two names differ in case only.

    Examples
    --------
    >>> list(by_lower_name({"LAB": 1, " Lesions": 2}))
    ['lab', 'lesions']
    """
    found: dict[Any, Any] = {}
    for name, values in data.items():
        key = name.strip().lower() if isinstance(name, str) else name
        if key in found:
            raise ValueError(f"{name!r} is given twice, in different case. Give each modality once.")
        found[key] = values
    return found
