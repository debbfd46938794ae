"""
Patients who lack a scan
========================

Hospitals have patients without a CT, and tables have gaps. The fusion trains on such patients and predicts for them: a
learned token stands in for what is missing. This page takes modalities away and watches.
"""

# %%
# A cohort with gaps
# ------------------
# Every third patient lacks one modality: PET, CT or all laboratory values. In a table of your own these are empty cells.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from prrt_estimators import FusionPFSClassifier, make_prrt_cohort
from prrt_estimators.inspection import modality_shapley
from prrt_estimators.plotting import ModalityShapleyDisplay

data = make_prrt_cohort(
    200, volume_shape=(16, 12, 22), signal=3, missing_modalities=0.33, random_state=0
)
X, y = data.X, data.y
has = pd.DataFrame(
    {"pet": X["pet"].present, "ct": X["ct"].present, "lab": X["lab"].notna().any(axis=1).to_numpy()}
)
has.value_counts().rename("patients").reset_index()

# %%
# Nothing has to be filled in. ``modality_dropout`` withholds a modality at random in training steps, so that the tokens are
# trained also by patients who lack nothing.

train, test = np.arange(130), np.arange(130, 200)
clf = FusionPFSClassifier(max_epochs=10, modality_dropout=0.25, random_state=0).fit(
    X[train], y[train]
)
p_long = clf.predict_proba(X[test])[:, 1]
print(
    f"AUROC of all {len(test)} test patients, complete or not: {roc_auc_score(y[test], p_long):.2f}"
)

# %%
# Take something away
# -------------------
# The same fitted model, asked about the complete test patients with modalities withheld. ``select`` leaves a Cohort with those
# that are named.

complete = test[has.iloc[test].all(axis=1)]
subsets = [
    ("pet", "ct", "lab"),
    ("pet", "lab"),
    ("ct", "lab"),
    ("pet", "ct"),
    ("lab",),
    ("pet",),
    ("ct",),
]
probability = {" + ".join(s): clf.predict_proba(X[complete].select(*s))[:, 1] for s in subsets}
rows = {
    name: {"AUROC": roc_auc_score(y[complete], p), "mean": p.mean(), "SD": p.std()}
    for name, p in probability.items()
}
pd.DataFrame(rows).T.round(2)

# %%
# The less is known, the closer the answers come to each other (SD). Most of what this model knows comes from laboratory values;
# with scans alone it is near chance, as the networks of 130 training patients are. One line per patient; mind the axis, which shows
# a third of the range:

full, sets = probability["pet + ct + lab"], list(probability)
figure, ax = plt.subplots(figsize=(7.6, 4.2), layout="constrained")
colours = np.where(y[complete] == 1, "#0072B2", "#E69F00")
for k, colour in enumerate(colours):
    ax.plot(sets, [probability[name][k] for name in sets], color=colour, alpha=0.45, lw=1)
for colour, name in (("#0072B2", "long PFS"), ("#E69F00", "short PFS")):
    ax.plot([], [], color=colour, label=name)
ax.set(ylabel="probability of long PFS", xlabel="what the model is shown", ylim=(0.35, 0.68))
ax.legend(frameon=False, ncols=2)
ax.spines[["top", "right"]].set_visible(False)

# %%
# What each modality adds
# -----------------------
# Shapley values use the same eight subsets and divide each prediction fairly. They sum to the prediction less the base, the
# answer for a patient of whom nothing is known.

# sphinx_gallery_thumbnail_number = 2
table = modality_shapley(clf, X[complete])
display = ModalityShapleyDisplay.from_result(table, y=y[complete])

# %%
# The way of one patient:

display.plot(patient=str(table["patient_id"].iloc[int(np.argmin(full))]))

# %%
# Being there is not information
# ------------------------------
# If the sickest patients lack a CT, a model can learn *that* it is missing. Here it is missing at random. With your own cohort,
# look at the outcome of patients with and without each modality before you train:

pd.DataFrame(
    {
        name: {"long PFS, present": y[has[name]].mean(), "long PFS, missing": y[~has[name]].mean()}
        for name in has
    }
).round(2)
