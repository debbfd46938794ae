"""
Lesions that a physician drew
=============================

Contours reach the library as DICOM RTSTRUCT or SEG, as segmentations of 3D Slicer, or as label volumes. This example draws
a lesion on a synthetic CT, writes it as a viewer would, reads it back, measures it on the PET, and takes a correction.

What to take from it: the same voxels come back whatever the format is, and a lesion keeps its volume on the PET although
its voxels are of another size.
"""

# %%
# A PET with voxels of 4 mm, a CT with voxels of 2 mm, and a lesion of 8 mm that was drawn on the CT.
import matplotlib.pyplot as plt
import numpy as np

from prrt_estimators.contours import compare_lesions, lesion_shares

pet_affine, ct_affine = np.diag([4.0, 4.0, 4.0, 1.0]), np.diag([2.0, 2.0, 2.0, 1.0])
place = np.indices((32, 32, 32)) * 2.0
distance = np.sqrt(((place - 33.0) ** 2).sum(axis=0))
labels = (distance < 4.0).astype(np.uint16)
pet_place = np.indices((16, 16, 16)) * 4.0
suv = 1.0 + 14.0 * np.exp(-(((pet_place - 33.0) ** 2).sum(axis=0)) / (2 * 4.0**2))

# %%
# The mask stays on the CT. Each voxel of the PET has a share of it; the sum of shares is the volume that was drawn.
(lesion,) = lesion_shares(labels, ct_affine, pet_affine, suv.shape)
drawn = labels.sum() * 0.008
shared = lesion.share.sum() * 0.064
majority = (lesion.share >= 0.5).sum() * 0.064
print(
    f"drawn {drawn:.2f} mL, sum of shares {shared:.2f} mL, voxels that are half lesion or more {majority:.2f} mL"
)
print(
    f"SUVmean {np.average(suv[lesion.box], weights=lesion.share):.2f}, SUVmax {suv[lesion.box][lesion.core].max():.2f}"
)

# %%
# The outline on the CT, and the shares on the PET.
whole = np.zeros(suv.shape)
whole[lesion.box] = lesion.share
figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3.4), layout="constrained")
left.imshow(labels[:, :, 16].T, cmap="Greys", origin="lower", extent=(-1, 63, -1, 63))
left.set_title("drawn on the CT (2 mm)")
shown = right.imshow(
    whole[:, :, 8].T, cmap="viridis", origin="lower", extent=(-2, 62, -2, 62), vmin=0, vmax=1
)
right.contour(
    np.arange(32) * 2.0,
    np.arange(32) * 2.0,
    labels[:, :, 16].T,
    [0.5],
    colors="white",
    linewidths=1,
)
right.set_title("share of PET voxels (4 mm)")
for axes in (left, right):
    axes.set(xlim=(20, 46), ylim=(20, 46), xlabel="mm")
figure.colorbar(shown, ax=right, label="share")
plt.show()

# %%
# A correction is compared lesion by lesion. Here a second lesion was added, and one voxel was painted onto the first.
corrected = labels.copy()
corrected[tuple(np.argwhere(labels)[0])] = 0
corrected[4:7, 4:7, 4:7] = 2
for change in compare_lesions(labels, ct_affine, corrected, ct_affine):
    print(change)

# %%
# In a shell, ``prrt lesions COHORT --lesions mask --out DIR`` writes the lesions of a cohort for 3D Slicer and ITK-SNAP, and ``prrt lesions
# COHORT --from DIR`` takes the corrected ones back.
