"""
Laboratory values with SHAP
===========================

Which laboratory values does a forest use, in which direction, and is that what truly matters? On synthetic patients the
last question has an answer.
"""

# %%
# A forest on 19 columns
# ----------------------
# No scans, so 500 patients are cheap. The outcome depends three times as strongly on what is known as we think is realistic.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import StratifiedKFold, cross_val_score

from prrt_estimators import LabPFSClassifier, make_prrt_cohort
from prrt_estimators.inspection import (
    correlated_groups,
    grouped_permutation_importance,
    shap_importance,
    shap_values,
)
from prrt_estimators.plotting import ImportanceDisplay

data = make_prrt_cohort(500, volumes=False, signal=3, random_state=0)
X, y = data.X, data.y
clf = LabPFSClassifier(n_estimators=100, random_state=0)
cv = StratifiedKFold(3, shuffle=True, random_state=0)
print("AUROC of the folds:", cross_val_score(clf, X, y, cv=cv, scoring="roc_auc").round(2))

# %%
# Better than chance, so there is something to explain.
#
# Each patient, each value
# ------------------------
# `shap_values` returns an explanation as shap defines it, so shap draws it. A point is a patient, explained by the forest that
# was not trained on them. Points to the right speak for a long PFS; red points are high values.

import shap

# sphinx_gallery_thumbnail_number = 1
explanation = shap_values(clf, X, y=y, cv=cv)
shap.plots.beeswarm(explanation, max_display=10, show=False)

# %%
# For each patient the values sum to the prediction less the base:

total = explanation.base_values + explanation.values.sum(axis=1)
print("first five probabilities of long PFS:", total[:5].round(2))

# %%
# One column
# ----------
# How the neutrophils enter: one point per patient. A forest makes steps; what looks like a threshold is its own doing.

shap.plots.scatter(explanation[:, "neutrophils_nl"], show=False)

# %%
# What the score loses
# --------------------
# SHAP says what the model uses, not what it needs. Permutation importance asks what the AUROC of held-out patients loses when
# values are shuffled. Analytes that rise and fall together are shuffled together, as they stand in for each other:

[columns for columns in correlated_groups(X).values() if len(columns) > 1]

# %%
result = grouped_permutation_importance(clf, X, y, cv=cv, n_repeats=5, random_state=0)
ImportanceDisplay.from_result(result)

# %%
# What is true
# ------------
# `make_prrt_cohort` knows how each column goes with the true risk. Columns far to the right matter in truth, columns high up to
# the forest. Those at the left edge carry next to no signal and still get a value: a small importance is not a finding.

truth = data.truth.lab_signal["correlation"].abs()
mean = shap_importance(explanation).set_index("column")["importance"]
figure, ax = plt.subplots(figsize=(6.6, 4.4), layout="constrained")
shown = truth.dropna().index
ax.scatter(
    truth[shown], mean[shown], color=np.where(truth[shown] > 0, "#0072B2", "#D55E00"), zorder=3
)
for column in shown:
    ax.annotate(
        column.split("_")[0],
        (truth[column], mean[column]),
        xytext=(4, 3),
        textcoords="offset points",
        fontsize=8,
    )
ax.set(xlabel="correlation with the true log hazard, absolute", ylabel="mean absolute SHAP value")
ax.spines[["top", "right"]].set_visible(False)
