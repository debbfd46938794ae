"""
Time to progression
===================

When do patients progress? A survival model learns from everybody, patients who were lost early too, and predicts a curve for
each patient in place of one probability.
"""

# %%
# Patients, a third of them censored
# ----------------------------------
# ``y`` holds an event and a time for each patient. Nobody is left out.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import StratifiedKFold, cross_validate

from prrt_estimators import LabPFSSurvival, make_prrt_cohort
from prrt_estimators.plotting import (
    KaplanMeierDisplay,
    SurvivalCalibrationDisplay,
    SurvivalCurvesDisplay,
)

with warnings.catch_warnings():
    warnings.simplefilter(
        "ignore"
    )  # of patients whose class at twelve months is unknown: not our question
    data = make_prrt_cohort(200, signal=2, censoring=0.3, volumes=False, random_state=0)
X, y = data.X, data.X.survival
print(
    f"{len(y)} patients, {int(y['event'].sum())} progressed, {int((~y['event']).sum())} were censored"
)

# %%
# A score
# -------
# Uno's C is known to scikit-learn by name once this library is imported.

cv = list(StratifiedKFold(5, shuffle=True, random_state=0).split(np.zeros(len(y)), y["event"]))
model = LabPFSSurvival()
scores = cross_validate(model, X, y, cv=cv, scoring=["uno_c", "auc_horizon"])
print(
    "Uno's C:",
    scores["test_uno_c"].mean().round(2),
    " AUC at 12 months:",
    scores["test_auc_horizon"].mean().round(2),
)

# %%
# Curves of five patients
# -----------------------
# Of patients whom the model has not seen.

# sphinx_gallery_thumbnail_number = 1
train, test = cv[0]
fitted = model.fit(X[train], y[train])
SurvivalCurvesDisplay.from_estimator(fitted, X[test[:5]])

# %%
# Thirds of the risk
# ------------------
# Out of fold, divided where thirds of the training patients of each fold are.

group, beyond = np.empty(len(y), dtype=object), np.empty(len(y))
for train, test in cv:
    fitted = model.fit(X[train], y[train])
    cuts = np.quantile(fitted.predict(X[train]), [1 / 3, 2 / 3])
    names = np.array(["low risk", "middle risk", "high risk"], dtype=object)
    group[test] = names[np.searchsorted(cuts, fitted.predict(X[test]), "right")]
    beyond[test] = fitted.predict_survival_function(X[test], [12.0])[:, 0]
KaplanMeierDisplay.from_groups(y, group, order=["low risk", "middle risk", "high risk"])

# %%
# Calibration at twelve months
# ----------------------------
# On the diagonal, of patients with a predicted probability of 0.7, seven of ten are free of progression at twelve months.

SurvivalCalibrationDisplay.from_predictions(y, beyond, 12.0)
plt.show()
