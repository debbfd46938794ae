"""
Nested tuning and external validation
=====================================

The best of many candidates is best partly by luck. On patients with nothing to find, this page shows how much a search
promises, what nested cross-validation makes of the promise, and what another hospital would see.
"""

# %%
# Nothing to find
# ---------------
# ``signal=0``: the laboratory values of these 60 patients have nothing to do with their PFS, so every AUROC away from 0.5 is luck.
# The candidates are logistic regressions on three columns each, eight draws of three. A search like that happens at many
# desks, by hand.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from prrt_estimators import LabPFSClassifier, make_prrt_cohort
from prrt_estimators.metrics import calibration_intercept_slope
from prrt_estimators.plotting import CalibrationDisplay


def keep(table, columns):
    """Return some columns of the laboratory table."""
    return table[list(columns)]


first = make_prrt_cohort(60, volumes=False, signal=0, random_state=0)
names = first.X["lab"].select_dtypes("number").columns
rng = np.random.default_rng(0)
draws = [{"columns": tuple(rng.choice(names, 3, replace=False))} for _ in range(8)]
steps = [FunctionTransformer(keep), SimpleImputer(), StandardScaler(), LogisticRegression()]
pipeline = Pipeline(list(zip(("keep", "impute", "scale", "clf"), steps, strict=True)))
inner, outer = (StratifiedKFold(3, shuffle=True, random_state=seed) for seed in (1, 2))
search = GridSearchCV(pipeline, {"keep__kw_args": draws}, scoring="roc_auc", cv=inner)

# %%
# ``best_score_`` is what the search reports of its winner. The nested score runs the whole search again inside each outer
# training fold, and tests the winner on patients who had no part in the choice. Thirty-two cohorts:

promised, kept = [], []
for seed in range(32):
    data = first if seed == 0 else make_prrt_cohort(60, volumes=False, signal=0, random_state=seed)
    table = data.X["lab"]
    promised.append(search.fit(table, data.y).best_score_)
    kept.append(cross_val_score(search, table, data.y, cv=outer, scoring="roc_auc").mean())
for name, scores in (("promised", promised), ("nested", kept)):
    mean, error = np.mean(scores), np.std(scores, ddof=1) / np.sqrt(len(scores))
    print(
        f"{name:8} {mean:.2f} ± {error:.2f}, {(mean - 0.5) / error:.1f} standard errors above 0.5"
    )

# %%
# Mean ± standard error. What the search promises is many standard errors from the truth. A single nested score scatters as widely,
# since sixty patients are few, but the nested mean comes near to 0.5: what is left of the promise is of the size of luck.

# sphinx_gallery_thumbnail_number = 1
figure, ax = plt.subplots(figsize=(6, 4.2), layout="constrained")
ax.plot([0, 1], [promised, kept], color="0.8", lw=1)
for place, (scores, colour) in enumerate(((promised, "#D55E00"), (kept, "#0072B2"))):
    ax.plot([place] * len(scores), scores, "o", color=colour, alpha=0.7)
    ax.plot(place, np.mean(scores), "_", color=colour, markersize=40, markeredgewidth=3)
ax.axhline(0.5, color="0.4", lw=1, ls="--")
ax.set_xticks(
    [0, 1], ["best of 8, as the search\nreports it", "nested: the same search,\ntested outside"]
)
ax.set(ylabel="AUROC (dashed: chance, which is the truth here)", xlim=(-0.4, 1.4))
ax.spines[["top", "right"]].set_visible(False)

# %%
# Another hospital
# ----------------
# Now patients with a signal, from three centres that differ in CgA assay and case mix. The model is made at two of them; the third
# one tests it once, and nothing is adapted.

data = make_prrt_cohort(900, volumes=False, signal=3, n_centres=3, random_state=0)
table, y, centre = data.X["lab"], data.y, data.patients["centre"].to_numpy()
home, away = centre != centre.max(), centre == centre.max()
clf = LabPFSClassifier(n_estimators=100, class_weight=None, random_state=0)
inside = cross_val_score(clf, table[home], y[home], cv=outer, scoring="roc_auc").mean()
clf.fit(table[home], y[home])
p_away = clf.predict_proba(table[away])[:, 1]
print(
    f"home: {home.sum()} patients, {y[home].mean():.0%} with long PFS, AUROC cross-validated {inside:.2f}"
)
print(
    f"away: {away.sum()} patients, {y[away].mean():.0%} with long PFS, AUROC {roc_auc_score(y[away], p_away):.2f}"
)

# %%
# Ranking is one thing, probabilities are another. An intercept of 0 and a slope of 1 are right; the curve lies below the diagonal where
# the model promises more than comes true.

line = calibration_intercept_slope(y[away], p_away)
print(f"away: calibration intercept {line.intercept:.2f}, slope {line.slope:.2f}")
CalibrationDisplay.from_predictions(y[away], p_away, name="at the third centre")

# %%
# One other hospital is one draw, too. :doc:`/guide/validation` says more.
