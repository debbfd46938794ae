"""
Who the model separates
=======================

Kaplan-Meier curves of the patients that a model calls long or short, what their probabilities look like, and where they lie
in the feature space of a fusion; each of it out of fold, and each beside what chance would give.
"""

# %%
# Out-of-fold predictions
# -----------------------
# Everything below would look better on training patients. So each patient is predicted by a model of the two folds that the
# patient is not in. Labs and PET of 150 synthetic patients, with a signal three times as strong as we think is realistic.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from prrt_estimators import FusionPFSClassifier, make_prrt_cohort
from prrt_estimators.inspection import class_separation, out_of_fold_features
from prrt_estimators.plotting import CalibrationDisplay, EmbeddingDisplay, KaplanMeierDisplay

# sphinx_gallery_thumbnail_number = 2
data = make_prrt_cohort(150, volume_shape=(16, 12, 22), signal=3, random_state=1)
X, y = data.X.select("pet", "lab"), data.y
cv = StratifiedKFold(3, shuffle=True, random_state=0)
clf = FusionPFSClassifier(max_epochs=10, random_state=0)
found = out_of_fold_features(clf, X, y=y, cv=cv)
folds = [roc_auc_score(y[found.fold == k], found.p_long[found.fold == k]) for k in range(3)]
print("AUROC of the folds:", np.round(folds, 2))

# %%
# The cohort
# ----------
# ``X.survival`` carries time and event along, for figures only. The dashed line is the horizon.

KaplanMeierDisplay.from_survival(X.survival)

# %%
# By predicted class
# ------------------
# The log-rank p is descriptive: model and threshold were made for this very outcome, if not with these very patients.

KaplanMeierDisplay.from_predictions(X.survival, found.p_long)

# %%
# What would luck look like? Nobody is censored here, so the gap between the curves at twelve months is a difference of two shares.
# The same probabilities, given to the patients in a thousand random orders:


def gap(p_long):
    """Return by how much the share of long PFS differs between the predicted classes."""
    return abs(y[p_long >= 0.5].mean() - y[p_long < 0.5].mean())


rng = np.random.default_rng(0)
by_luck = [gap(rng.permutation(found.p_long)) for _ in range(1000)]
print(
    f"gap at 12 months: {gap(found.p_long):.2f}; by luck up to {np.quantile(by_luck, 0.95):.2f} in 95 of 100 deals"
)

# %%
# Can the probabilities be taken at their word?
# ---------------------------------------------
# Classes are weighted alike in training, and the probabilities are corrected for it, so that their mean is near the share of long
# PFS; :doc:`/guide/predictions` says more.

CalibrationDisplay.from_predictions(y, found.p_long, name="PET + labs")

# %%
# The feature space
# -----------------
# UMAP of the features that the last layer reads, one panel a fold as each fold has a model and a space of its own. Islands and
# distances mean nothing; the lines below the panels give the measured separation.

EmbeddingDisplay.from_result(found)

# %%
# Measured in the space itself, within folds, beside what shuffled classes give:

class_separation(found, random_state=0).round(3)

# %%
# The features are those that the fold's model made *for patients it was not trained on*. Its training patients lie further apart,
# here in the probabilities of the first fold:

train, test = next(iter(cv.split(np.zeros(len(y)), y)))
fitted = clf.fit(X[train], y[train])
figure, axes = plt.subplots(1, 2, figsize=(7.6, 3.4), sharey=True, layout="constrained")
for ax, rows, title in zip(
    axes, (train, test), ("training patients", "test patients"), strict=True
):
    p_long = fitted.predict_proba(X[rows])[:, 1]
    for label, colour, name in ((0, "#E69F00", "short PFS"), (1, "#0072B2", "long PFS")):
        ax.hist(
            p_long[y[rows] == label],
            bins=np.linspace(0, 1, 17),
            alpha=0.65,
            color=colour,
            label=name,
        )
    ax.set(
        title=f"{title}: AUROC {roc_auc_score(y[rows], p_long):.2f}",
        xlabel="probability of long PFS",
    )
    ax.legend(frameon=False)
    ax.spines[["top", "right"]].set_visible(False)
