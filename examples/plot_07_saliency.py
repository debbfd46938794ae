"""
Maps on the patient's own scan
==============================

Where does a network look? Maps are made on the small grid that the network sees and brought back to the scan as it left
the scanner. And because a map of nothing looks like a map of something, each step here has a check beside it.
"""

# %%
# A question that a PET answers
# -----------------------------
# PFS is hard to see in a hundred scans, and maps of a model at chance mean nothing. So this page asks an easier question of the
# same patients: *is the tumour burden above the median?* That is a factor that the synthetic patients are made from. The scans are
# files, 10 mm voxels, in a folder; the network sees a box of 20 x 15 x 28 voxels of 20 mm.

import tempfile
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
from sklearn.metrics import roc_auc_score

from prrt_estimators import PETPFSClassifier, load_cohort, make_prrt_cohort
from prrt_estimators.datasets import write_nifti_cohort
from prrt_estimators.exceptions import ExplanationWarning
from prrt_estimators.inspection import (
    attribution_in_regions,
    saliency,
    saliency_to_nifti,
    summarise_regions,
    weight_randomisation,
)
from prrt_estimators.model_selection import bootstrap_interval
from prrt_estimators.plotting import SaliencyDisplay

# sphinx_gallery_thumbnail_number = 1
folder = Path(tempfile.mkdtemp())
synthetic = make_prrt_cohort(140, volume_shape=(40, 30, 56), spacing=10.0, random_state=0)
data = load_cohort(write_nifti_cohort(synthetic, folder / "cohort"), verbose=False)
X = data.X
burden = synthetic.truth.factors["burden"].to_numpy()
y = (burden > np.median(burden)).astype(int)

# %%
train, test = np.arange(100), np.arange(100, 140)
box = {"size": (20, 15, 28), "spacing": 20.0, "cache_dir": folder / "cache"}
clf = PETPFSClassifier(max_epochs=12, random_state=0, **box).fit(X[train], y[train])
auroc = roc_auc_score(y[test], clf.predict_proba(X[test])[:, 1])
print(f"AUROC of 40 patients who were not trained on: {auroc:.2f}")

# %%
# It can tell, so there is something to look at.
#
# The maps
# --------
# SmoothGrad says how the logit would change with each voxel, averaged over noisy copies of the scan; :doc:`../saliency` measures
# which kind of map points at what decides. It is drawn over the patient's own PET at its own resolution, with the planes where
# the map is strongest; the mask of lesions is outlined. Class 1, which the title calls long PFS, is the higher burden here.

seen = X[test]
maps = saliency(clf, seen, method="smoothgrad", random_state=0)
patient = int(np.argmax(np.where(y[test] == 1, maps.probability, 0)))
SaliencyDisplay.from_maps(maps, patient, X=seen)

# %%
# On the scan's own grid
# ----------------------
# ``saliency_to_nifti`` writes maps in the grids of the patients' own scans, so that any viewer lays one over the other.

few = saliency(clf, seen[:2], method="smoothgrad", random_state=0)
files = saliency_to_nifti(few, seen[:2], folder / "maps")
scan, map_ = nib.load(seen["pet"].paths[0]), nib.load(files["pet"][0])
print(
    "network:",
    few["pet"].shape[2:],
    " scan and map:",
    scan.shape,
    map_.shape,
    np.array_equal(scan.affine, map_.affine),
)

# %%
# Check one: lesions or organs?
# -----------------------------
# Kidneys, spleen and bladder are bright in every somatostatin-receptor PET. Which share of the map lies in lesions, and which
# in other uptake, beside the share of the volume (``expected``) and of the uptake itself (``uptake_share``)? Burden is made of
# lesions, so a network that had understood the question would prefer them.

table = attribution_in_regions(maps, seen.masks, within="body")
summarise_regions(table).drop(columns=["modality", "kind"]).round(2)

# %%
# ``ratio`` is share over expected. Both places get several times what their volume would, and the organs more than the lesions: this
# network goes by uptake, wherever it is. The picture alone would not have told.
#
# Check two: does the map follow the weights?
# -------------------------------------------
# The network forgets from the last layer to the first. A map that stays the same all the way (correlation near 1) would show
# the scan and not what was learnt. By default this is done with plain gradients.

forgotten = weight_randomisation(clf, seen[:8], random_state=0)
forgotten[["stage", "layers", "spearman", "ssim"]].round(2)

# %%
# The correlation stays high until almost nothing of the network is left. Much of these maps is the scan itself, so a bright place is no
# proof that the network learnt anything about it.
#
# Check three: a model that knows nothing
# ---------------------------------------
# The same network, trained on shuffled answers. It makes a map, too. Told the interval of its AUROC, which includes 0.5, the library
# warns, and the figure says so.

shuffled = PETPFSClassifier(max_epochs=12, random_state=0, **box)
shuffled.fit(X[train], np.random.default_rng(0).permutation(y[train]))
interval = bootstrap_interval(y[test], shuffled.predict_proba(seen)[:, 1], random_state=0)
print(f"AUROC {interval.estimate:.2f}, 95 % interval {interval.low:.2f} to {interval.high:.2f}")
with warnings.catch_warnings():
    warnings.simplefilter("ignore", ExplanationWarning)
    nothing = saliency(
        shuffled,
        seen,
        method="smoothgrad",
        random_state=0,
        auroc_interval=(interval.low, interval.high),
    )
SaliencyDisplay.from_maps(nothing, patient, X=seen)
