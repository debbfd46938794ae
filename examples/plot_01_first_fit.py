"""
A first fit
===========

Thirty lines from a cohort to a probability: look at a patient, fit the fusion of PET, CT and laboratory values, and see
how well it does on patients that it has not seen.
"""

# %%
# Patients
# --------
# `make_prrt_cohort` makes synthetic patients. Their outcome depends three times as strongly on what can be seen as we think
# is realistic (``signal=3``), and their scans are small, so that this page builds in a minute.

# sphinx_gallery_thumbnail_number = 1
import matplotlib.pyplot as plt
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

from prrt_estimators import FusionPFSClassifier, make_prrt_cohort
from prrt_estimators.plotting import RocDisplay

data = make_prrt_cohort(180, volume_shape=(22, 17, 30), signal=3, random_state=0)
X, y = data.X, data.y
X

# %%
# ``X`` holds one row per patient: a PET in SUVbw, a CT in HU, and a table. ``y`` is 1 where PFS was longer than twelve months.

X["lab"].iloc[:3, :6]

# %%
# A bigger picture of two of them, PET as maximum intensity projection (dark is bright) and a plane of the CT: left a patient
# with short, right one with long PFS. Nobody could tell them apart at sight, and networks find it hard, too.

large = make_prrt_cohort(24, volume_shape=(74, 55, 100), random_state=3)
short, long = (large.y == 0).argmax(), (large.y == 1).argmax()
figure, axes = plt.subplots(1, 4, figsize=(9, 3.4), layout="constrained")
for ax, (patient, modality) in zip(
    axes, [(short, "pet"), (short, "ct"), (long, "pet"), (long, "ct")], strict=True
):
    volume = large.X[modality].array[patient, 0]
    plane = volume.max(axis=1) if modality == "pet" else volume[:, 24]
    window = (
        {"vmin": 0, "vmax": 18, "cmap": "gray_r"}
        if modality == "pet"
        else {"vmin": -150, "vmax": 250, "cmap": "gray"}
    )
    ax.imshow(plane[::-1].T, origin="lower", **window)
    ax.set_title(f"{modality.upper()}, PFS {large.time[patient]:.0f} months", fontsize=10)
    ax.set_axis_off()

# %%
# Fit and predict
# ---------------
# The cohort can be split like any array of patients. ``fit`` takes them raw: windowing, imputing and scaling are learnt
# inside, from these rows only.

rows_train, rows_test = train_test_split(range(len(y)), stratify=y, test_size=60, random_state=0)
clf = FusionPFSClassifier(max_epochs=12, random_state=0).fit(X[rows_train], y[rows_train])
p_long = clf.predict_proba(X[rows_test])[:, 1]
print("first five probabilities of a long PFS:", p_long[:5].round(2))
print(f"AUROC of {len(rows_test)} patients: {roc_auc_score(y[rows_test], p_long):.2f}")

# %%
# The curve says the same. With sixty patients its interval is wide, and any other split would give another curve; the
# dashed line is chance.

RocDisplay.from_estimator(clf, X[rows_test], y[rows_test], name="PET + CT + labs")

# %%
# On patients that it was trained on the network does much better. That number means nothing:

print(
    f"AUROC of the training patients: {roc_auc_score(y[rows_train], clf.predict_proba(X[rows_train])[:, 1]):.2f}"
)

# %%
# The best that any model could reach on such patients is known, as we made them:

data.truth.attainable.loc[["lab", "pet", "ct", "pet_ct_lab"], ["auroc"]].round(2)

# %%
# The distance between 0.95 and what came out is what more patients would be for.
# Next: :ref:`all models on the same splits <sphx_glr_gallery_plot_02_models.py>`.
