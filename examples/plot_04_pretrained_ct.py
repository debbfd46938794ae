"""
A pretrained CT branch
======================

The study's best model had a CT branch that was pretrained. Published weights have names (``weights={"ct": "astra"}``) and are
large; this page pretrains a small encoder on scans without outcomes instead, which any hospital has.
"""

# %%
# Scans without outcome
# ---------------------
# 120 other patients, of whom nothing but the CT is used. Two randomly changed views of a patient must look alike to the
# encoder, and unlike those of the others.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import StratifiedKFold, cross_val_score

from prrt_estimators import CTPretrainer, FusionPFSClassifier, make_prrt_cohort

shape = (16, 12, 22)
others = make_prrt_cohort(120, volume_shape=shape, random_state=1).X.select("ct")
pretrainer = CTPretrainer(max_epochs=12, random_state=0).fit(others)
print(
    f"{pretrainer.n_patients_} patients, loss {pretrainer.loss_curve_[0]:.2f} to {pretrainer.loss_curve_[-1]:.2f}"
)
print(
    f"an encoder that tells nobody apart: {np.mean([np.log(2 * size - 1) for size in (32, 32, 32, 24)]):.2f}"
)

# %%
# Look at these numbers before you use an encoder. Here it has learnt next to nothing: twelve passes over such small scans are too
# few, as the changes between two views are larger than what tells these patients apart. What follows shows how things fit
# together and not what pretraining can do.

# %%
# What the encoder finds alike
# ----------------------------
# New patients, and for three of them the one whose features are nearest, and the one whose are furthest. Nobody told the
# encoder about size, build or lesions; alike means alike to it, and even random weights find some scans alike.

data = make_prrt_cohort(90, volume_shape=shape, signal=3, random_state=0)
X, y = data.X, data.y
features = pretrainer.transform(X)
features = (features - features.mean(axis=0)) / (features.std(axis=0) + 1e-6)
distance = np.linalg.norm(features[:, None] - features[None], axis=2)

# sphinx_gallery_thumbnail_number = 1
figure, axes = plt.subplots(3, 3, figsize=(6.2, 8.2), layout="constrained")
for row, patient in enumerate((4, 17, 40)):
    order = np.argsort(distance[patient])
    for ax, shown, title in zip(
        axes[row], (patient, order[1], order[-1]), ("patient", "nearest", "furthest"), strict=True
    ):
        ct = data.X["ct"].array[shown, 0]
        ax.imshow(
            ct[::-1, 6].T,
            origin="lower",
            cmap="gray",
            vmin=-150,
            vmax=250,
            interpolation="bilinear",
        )
        ax.set_title(f"{title}: {X.ids[shown]}", fontsize=10)
        ax.set_axis_off()

# %%
# Into the fusion
# ---------------
# ``save`` writes a file that remembers, by digest, which scans it has seen. Frozen means that the features of each patient
# are computed once and only what comes after them is trained, which also makes it the fastest way.

file = pretrainer.save(Path(tempfile.mkdtemp()) / "own_ct.safetensors")
candidates = {
    "from scratch": FusionPFSClassifier(max_epochs=8, random_state=0),
    "frozen": FusionPFSClassifier(max_epochs=8, random_state=0, weights={"ct": file}),
    "all trained": FusionPFSClassifier(
        max_epochs=8, random_state=0, weights={"ct": file}, finetune="full"
    ),
}
cv = StratifiedKFold(3, shuffle=True, random_state=0)
scores = {
    name: cross_val_score(clf, X, y, cv=cv, scoring="roc_auc") for name, clf in candidates.items()
}
for name, values in scores.items():
    print(f"{name:14} AUROC of the folds {values.round(2)}, mean {values.mean():.2f}")

# %%
# Lines join the same fold. With ninety patients they cross as they like: this shows the mechanics, not that pretraining helps
# or hurts. :doc:`/pretrained` has a larger comparison.

figure, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
ax.plot(list(scores), np.array(list(scores.values())), "o-", color="0.6")
ax.plot(
    list(scores),
    [values.mean() for values in scores.values()],
    "D",
    color="#D55E00",
    label="mean of the folds",
)
ax.axhline(0.5, color="0.4", lw=1, ls="--")
ax.set_ylabel("AUROC")
ax.legend(frameon=False)
ax.spines[["top", "right"]].set_visible(False)

# %%
# Inside the folds
# ----------------
# If the only CTs are those of the cohort itself, hand over the pretrainer *unfitted*: each fit pretrains on its own training
# patients, and no test patient is ever seen.

clf = FusionPFSClassifier(
    max_epochs=4, random_state=0, weights={"ct": CTPretrainer(max_epochs=3, random_state=0)}
)
clf.fit(X[:60], y[:60])
print("pretrained on", clf.pretrainers_["ct"].n_patients_, "training patients")
