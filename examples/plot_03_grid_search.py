"""
A grid search over a fusion in a pipeline
=========================================

Every hyper-parameter of an estimator is a parameter of a search, at any depth of a pipeline, and so is which modalities go
in. The candidate that a search likes best is the one that had the most luck, too: the figure shows how far its folds lie
apart.
"""

# %%
# A pipeline
# ----------
# The first step keeps the modalities that are to be used; it learns nothing. The second is the network.

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from prrt_estimators import FusionPFSClassifier, make_prrt_cohort
from prrt_estimators.model_selection import corrected_t_test


def keep(X, modalities):
    """Return the patients with these modalities only."""
    return X.select(*modalities)


X, y = make_prrt_cohort(120, volume_shape=(14, 10, 18), signal=3, random_state=0, return_X_y=True)
pipeline = Pipeline(
    [
        ("keep", FunctionTransformer(keep, kw_args={"modalities": ("pet", "lab")})),
        ("clf", FusionPFSClassifier(max_epochs=6, random_state=0)),
    ]
)

# %%
# The search
# ----------
# Names of steps and parameters are joined by two underscores, as always. Eight candidates on three folds are 24 fits;
# ``n_jobs`` does two of them at a time.

grid = {
    "keep__kw_args": [{"modalities": ("pet", "lab")}, {"modalities": ("pet", "ct", "lab")}],
    "clf__fusion": ["concat", "gated"],
    "clf__lr": [5e-4, 2e-3],
}
cv = StratifiedKFold(3, shuffle=True, random_state=0)
search = GridSearchCV(pipeline, grid, scoring="roc_auc", cv=cv, refit=False, n_jobs=2).fit(X, y)

table = pd.DataFrame(search.cv_results_)
table["modalities"] = [" + ".join(one["modalities"]) for one in table["param_keep__kw_args"]]
table.pivot_table(
    index=["modalities", "param_clf__fusion"], columns="param_clf__lr", values="mean_test_score"
).round(2)

# %%
# What the scores are worth
# -------------------------
# One row a candidate, one grey point per fold, the mean in colour. The two at the bottom, gated with the small learning rate, have hardly
# begun to learn in six epochs. Among the others the folds of one candidate lie as far apart as the candidates do: the order of their
# means is mostly noise.

# sphinx_gallery_thumbnail_number = 1
table = table.sort_values("mean_test_score").reset_index(drop=True)
folds = table[[f"split{k}_test_score" for k in range(3)]]
figure, ax = plt.subplots(figsize=(7.5, 4.6), layout="constrained")
for k in range(3):
    ax.plot(folds.iloc[:, k], table.index, "o", color="0.75", markersize=5)
colours = {"concat": "#0072B2", "gated": "#D55E00"}
for fusion, group in table.groupby("param_clf__fusion"):
    ax.plot(
        group["mean_test_score"],
        group.index,
        "o",
        color=colours[fusion],
        label=f"mean, {fusion}",
        markersize=8,
    )
labels = [
    f"{m}, lr {lr:g}" for m, lr in zip(table["modalities"], table["param_clf__lr"], strict=True)
]
ax.set_yticks(table.index, labels, fontsize=9)
ax.axvline(0.5, color="0.4", lw=1, ls="--")
ax.set_xlabel("AUROC of the held-out fold (dashed: chance)")
ax.legend(loc="lower right", frameon=False)
ax.spines[["top", "right"]].set_visible(False)

# %%
# A paired look
# -------------
# Folds are the same for all candidates, so differences on the same fold say more than means. Between the best candidate and
# the fifth:

difference = folds.iloc[-1] - folds.iloc[-5]
print("best less fifth, fold by fold:", difference.round(2).tolist())
result = corrected_t_test(difference, n_train=80, n_test=40)
print(f"mean {result.mean:.2f}, 95 % interval {result.low:.2f} to {result.high:.2f}")

# %%
# All the same, three folds whose training patients overlap say little: the interval is corrected for that.
#
# The score of the winner flatters it. :ref:`Nested tuning <sphx_glr_gallery_plot_10_nested_tuning.py>` tells what is left
# of it on patients that had no part in the choice.
