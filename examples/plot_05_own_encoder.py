"""
An encoder of your own in ten lines
===================================

Any torch module from a volume to features can be the branch of a modality. Here it is a 2D network that looks at the
maximum intensity projection, as readers of PET do first.
"""

# %%
# The class
# ---------
# It gets volumes of shape (n, 1, R, A, S), windowed to 0..1, and returns one vector per patient. What is learnt after it
# (embedding, fusion, last layers) stays as it is.

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.model_selection import StratifiedKFold, cross_val_score
from torch import nn

from prrt_estimators import FusionPFSClassifier, PETPFSClassifier, make_prrt_cohort


class ProjectionEncoder(nn.Module):
    """Maximum intensity projections from the front and from the side, and a 2D network that both share."""

    def __init__(self, channels: int = 16):
        super().__init__()
        layers = [
            nn.Conv2d(1, channels, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(channels, 2 * channels, 3, 2, 1),
            nn.ReLU(),
        ]
        self.network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten())

    def forward(self, volume: torch.Tensor) -> torch.Tensor:
        return torch.cat(
            [self.network(volume.amax(dim=3)), self.network(volume.amax(dim=2))], dim=1
        )


# %%
# What it sees
# ------------
# Both projections of one patient, in the window of the PET branch: 0 to 20 SUVbw. The patients further down have voxels three
# times as large, so that this page builds in a minute.

large = make_prrt_cohort(4, volume_shape=(74, 55, 100), random_state=0)
volume = torch.from_numpy(large.X["pet"].array[:1]).clip(0, 20) / 20
figure, axes = plt.subplots(1, 2, figsize=(5.6, 4.2), layout="constrained")
for ax, axis, title in zip(axes, (3, 2), ("from the front", "from the side"), strict=True):
    ax.imshow(
        volume.amax(dim=axis)[0, 0].numpy()[::-1].T, origin="lower", cmap="gray_r", vmin=0, vmax=0.8
    )
    ax.set_title(title, fontsize=10)
    ax.set_axis_off()

# %%
# In an estimator
# ---------------
# The class itself is the parameter, and its keyword arguments are ``encoder_params``: both can be searched, cloned and
# cross-validated.

X, y = make_prrt_cohort(120, volume_shape=(22, 17, 30), signal=3, random_state=0, return_X_y=True)
cv = StratifiedKFold(3, shuffle=True, random_state=0)
candidates = {
    "compact 3D": PETPFSClassifier(max_epochs=8, random_state=0),
    "projections": PETPFSClassifier(encoder=ProjectionEncoder, max_epochs=8, random_state=0),
    "projections, wide": PETPFSClassifier(
        encoder=ProjectionEncoder, encoder_params={"channels": 48}, max_epochs=8, random_state=0
    ),
}
scores = {}
for name, clf in candidates.items():
    scores[name] = cross_val_score(clf, X, y, cv=cv, scoring="roc_auc")
    print(f"{name:18} {scores[name].round(2)}, mean {np.mean(scores[name]):.2f}")

# %%
# All of them are near chance: eighty training patients teach neither network what a PET holds, and no encoder is shown to be
# better than another. With your own cohort, make the same comparison before you believe in an architecture.

figure, ax = plt.subplots(figsize=(6, 2.6), layout="constrained")
for row, values in enumerate(scores.values()):
    ax.plot(values, [row] * 3, "o", color="0.7")
    ax.plot(values.mean(), row, "D", color="#0072B2")
ax.set_yticks(range(len(scores)), list(scores))
ax.axvline(0.5, color="0.4", lw=1, ls="--")
ax.set(xlabel="AUROC: folds and their mean (dashed: chance)", xlim=(0.2, 0.9))
ax.spines[["top", "right"]].set_visible(False)

# %%
# One modality, or each its own
# -----------------------------
# In a fusion a mapping gives each imaging modality its encoder; one that is not named gets the default.

fusion = FusionPFSClassifier(encoder={"pet": ProjectionEncoder}, max_epochs=2, random_state=0).fit(
    X[:40], y[:40]
)
for modality, encoder in fusion.net_.module_.encoders.items():
    print(
        modality,
        type(encoder.network).__name__,
        sum(weight.numel() for weight in encoder.parameters()),
        "weights",
    )
