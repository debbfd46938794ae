"""What the tests of all rooms share: a private cache, one thread, tiny patients, and the shared real data."""

from __future__ import annotations

import os
from pathlib import Path

# Before torch is imported, and for child processes too: tests run side by side, and threads of torch that outnumber
# the processors wait for each other a hundred times longer than they compute.
os.environ["OMP_NUM_THREADS"] = os.environ["LOKY_MAX_CPU_COUNT"] = "1"

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from hypothesis import settings

from prrt_estimators import Cohort

# Examples take as long as a busy machine makes them take.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def _private_cache(tmp_path_factory, monkeypatch):
    """Keep prepared volumes of tests out of the user's cache, and tests apart."""
    monkeypatch.setenv("PRRT_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))


#: Rooms whose tests write many figures and look at few; drawing them took a third of the time of these tests.
_QUICK_ROOMS = {"cli", "evaluation", "inspection", "model_selection", "report"}


@pytest.fixture(scope="module", autouse=True)
def _quick_figures(request):
    """Draw figures coarsely in the rooms where they are by-products; `drawn_figures` draws them as users see them."""
    if request.path.parent.name not in _QUICK_ROOMS:
        yield
        return
    from quick_figures import Figure, quick_savefig

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", quick_savefig)
        yield


@pytest.fixture
def drawn_figures(monkeypatch):
    """Write figures as users see them."""
    from quick_figures import DRAWN, Figure

    monkeypatch.setattr(Figure, "savefig", DRAWN)


@pytest.fixture(scope="session")
def sts() -> Path:
    """Return the folder of the 51 sarcoma patients."""
    folder = SHARED / "sts"
    if not folder.is_dir():
        pytest.skip("the shared data (../shared/data/sts) are not beside this checkout")
    return folder


def write_nifti(path: Path, data: np.ndarray, affine: np.ndarray | None = None) -> str:
    """Write an array as NIfTI and return its path as text."""
    nib.save(nib.Nifti1Image(data, np.diag([4.0, 4.0, 4.0, 1.0]) if affine is None else affine), path)
    return str(path)


@pytest.fixture
def nifti_cohort(tmp_path):
    """Return a function that writes n patients (bright PET when y is 0) and gives (Cohort, y)."""

    def make(n: int = 12, shape: tuple[int, int, int] = (12, 12, 12), missing_pet: tuple[int, ...] = ()):
        rng = np.random.default_rng(0)
        y = np.arange(n) % 2
        pet, ct = [], []
        for i in range(n):
            suv = rng.gamma(2.0, 1.0, shape).astype(np.float32)
            suv[4:8, 4:8, 4:8] += 8.0 * (1 - y[i])
            hounsfield = rng.normal(40, 20, shape).astype(np.int16)
            hounsfield[0] = -1000
            pet.append(None if i in missing_pet else write_nifti(tmp_path / f"pet{i}.nii.gz", suv))
            ct.append(write_nifti(tmp_path / f"ct{i}.nii.gz", hounsfield))
        lab = pd.DataFrame({"cga": rng.lognormal(5, 1, n) * np.where(y == 0, 3, 1), "sex": ["m", "f", "f"] * (n // 3)})
        return Cohort({"pet": pet, "ct": ct, "lab": lab}, ids=[f"P{i:02d}" for i in range(n)]), y

    return make


#: Parameters that make the networks small and quick.
TINY = {"size": 12, "spacing": 4.0, "max_epochs": 2, "random_state": 0, "device": "cpu"}


@pytest.fixture(scope="session")
def tiny() -> dict:
    """Return parameters for small, quick networks."""
    return dict(TINY)
