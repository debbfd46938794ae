"""
Stacking with other scikit-learn models
=======================================

Late fusion: one model per modality, and a second one that learns from their out-of-fold predictions how far to trust each. With
a hundred patients it is worth trying beside one large network, as there is less to learn at once.
"""

# %%
# Models side by side
# -------------------
# A member of the stack can be an estimator of this library, or any scikit-learn model behind a step that picks the modality it
# understands. Gradient boosting takes a numeric table with gaps as it is.

import matplotlib.pyplot as plt
from sklearn.ensemble import HistGradientBoostingClassifier, StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from prrt_estimators import (
    FusionPFSClassifier,
    LabPFSClassifier,
    PETBaselineClassifier,
    PETPFSClassifier,
    make_prrt_cohort,
)


def numbers(X):
    """Return the numeric laboratory columns of a cohort."""
    return X["lab"].select_dtypes("number")


boosting = make_pipeline(
    FunctionTransformer(numbers),
    HistGradientBoostingClassifier(max_depth=2, max_iter=40, random_state=0),
)
members = [
    ("forest on labs", LabPFSClassifier(n_estimators=150, random_state=0)),
    ("boosting on labs", boosting),
    ("PET numbers", PETBaselineClassifier()),
    ("PET network", PETPFSClassifier(max_epochs=5, random_state=0)),
]
stack = StackingClassifier(members, LogisticRegression(C=0.1), cv=3, stack_method="predict_proba")

# %%
# A `Cohort` goes in as it is. The second stage is fitted on predictions for patients that the members were not trained on;
# scikit-learn sees to that.

data = make_prrt_cohort(150, volume_shape=(14, 10, 18), signal=3, random_state=0)
X, y = data.X, data.y
stack.fit(X, y)
names = [name for name, _ in members]
weights = dict(zip(names, stack.final_estimator_.coef_[0].round(2).tolist(), strict=True))
print("what the second stage gives each:", weights)

# %%
# Is it better?
# -------------
# The members alone, the stack, and a fusion network on the same modalities, on the same folds.

fusion = FusionPFSClassifier(modalities=("pet", "lab"), max_epochs=8, random_state=0)
cv = StratifiedKFold(3, shuffle=True, random_state=0)
candidates = dict(members) | {"stack of the four": stack, "fusion network": fusion}
scores = {
    name: cross_val_score(clf, X, y, cv=cv, scoring="roc_auc") for name, clf in candidates.items()
}

# sphinx_gallery_thumbnail_number = 1
figure, ax = plt.subplots(figsize=(6.6, 3.2), layout="constrained")
for row, (name, values) in enumerate(scores.items()):
    joined = name in ("stack of the four", "fusion network")
    ax.plot(values, [row] * len(values), "o", color="0.75")
    ax.plot(values.mean(), row, "D", color="#D55E00" if joined else "#0072B2", markersize=8)
    print(f"{name:18} {values.round(2)}, mean {values.mean():.2f}")
ax.set_yticks(range(len(scores)), list(scores))
ax.invert_yaxis()
ax.axvline(0.5, color="0.4", lw=1, ls="--")
ax.set_xlabel("AUROC: folds and their mean (dashed: chance)")
ax.spines[["top", "right"]].set_visible(False)

# %%
# What holds the labs comes first, what holds only the PET stays near chance, and joining does not create what no member has. Three
# folds cannot rank the first ones.
#
# Other ways of joining work alike: ``VotingClassifier`` for a plain mean, ``CalibratedClassifierCV`` around any member, a fusion's
# ``transform`` as features of another model. For the last one, remember that features of training patients know their class.
