"""
All models of the study on the same splits
==========================================

The study compares laboratory values, PET, CT and their fusions. `paper_models` gives them by name, with two simple
baselines that a fusion has to beat, and `compare_models` cross-validates all on the same patients.
"""

# %%
# Ten models, three folds
# -----------------------
# ``pet_ct_lab_pretrained`` needs weights for its CT branch. With a real cohort they would have a name
# (``weights={"ct": "astra"}``); here a `CTPretrainer` makes some from the training CTs of each fold, in a few epochs. Everything
# is small, so that this page builds in a minute: a real run has 10 repeats, a box of 48 x 48 x 48 voxels and 25 epochs.

import numpy as np

from prrt_estimators import CTPretrainer, compare_models, make_prrt_cohort, paper_models

# sphinx_gallery_thumbnail_number = 1
data = make_prrt_cohort(90, volume_shape=(16, 12, 22), signal=3, random_state=0)
X, y = data.X, data.y
models = paper_models(max_epochs=6, weights={"ct": CTPretrainer(max_epochs=3, random_state=0)})
comparison = compare_models(models, X, y, cv=3, n_jobs=2, random_state=0, verbose=0)

# %%
# What came out
# -------------
# One bar per model for AUROC, one for AUPRC of long PFS, with the line of chance for each. There is one repeat, so there is no
# deviation over repeats.

comparison.plot()

# %%
# Bars without intervals tempt. The table has them: of the score to be expected of a model trained on two thirds of such a
# cohort, and of its difference from the laboratory baseline, both corrected for overlapping training sets.

summary = comparison.summary()
summary[["auroc_mean", "auroc_low", "auroc_high", "p_holm"]].round(2)

# %%
# How many of these intervals leave out 0.5?

excludes_chance = (summary["auroc_low"] > 0.5) | (summary["auroc_high"] < 0.5)
print(summary.index[excludes_chance].tolist())

# %%
# And how good could a perfect model be, on the same patients? The distance is not the fault of one model: ninety patients,
# sixty of them for training, do not teach a network what its scans hold.

data.truth.attainable[["auroc"]].round(2)

# %%
# Out-of-fold probabilities of each patient and model are kept. Two models can have the same AUROC and disagree on patients:

wide = comparison.predictions.pivot(index="patient_id", columns="model", values="y_score")
agreement = wide.corr(method="spearman").loc["pet_ct_lab", ["lab", "pet", "ct", "baseline_lab"]]
print("rank correlation with the fusion:", agreement.round(2).to_dict())
print(
    "patients on whom forest and fusion disagree:",
    int(np.sum((wide["lab"] > 0.5) != (wide["pet_ct_lab"] > 0.5))),
)

# %%
# A real run writes everything to a folder (``out="results"``), can be killed at any moment and resumes; see
# :doc:`/guide/cluster`. ``prrt compare`` does the same from a shell, and adds a report.
