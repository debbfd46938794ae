"""Lesions that were drawn on another grid than the PET's: volumes of the mask, uptake by shares of voxels."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from prrt_estimators.contours import Shares, lesion_shares
from prrt_estimators.features._field import Lesion, peak_map
from prrt_estimators.features._images import Image
from prrt_estimators.features._networks import SITES


def shares_on(mask: Image, image: Image) -> list[Shares]:
    """Return how much of each voxel of a scan lies in each lesion of a mask; lesions beyond the scan are left out."""
    labels = np.rint(mask.data).astype(np.uint16)
    return lesion_shares(labels, mask.affine, image.affine, image.data.shape)


def core_labels(shares: list[Shares], shape: tuple[int, ...]) -> np.ndarray:
    """Return the voxels that are half lesion or more, or those with the greatest share; a small lesion goes before a large."""
    labels = np.zeros(shape, dtype=np.int32)
    for one in sorted(shares, key=lambda one: -float(one.share.sum())):
        labels[one.box][one.core] = one.label
    return labels


def shared_lesions(
    shares: list[Shares], mask: Image, pet: Image, site: np.ndarray, hu: np.ndarray | None
) -> list[Lesion]:
    """Return the lesions of a mask with their numbers on a PET of another grid.

    Parameters
    ----------
    shares : list of Shares
        Of the lesions of `mask` on the voxels of `pet`.
    mask, pet : Image
    site : ndarray of shape (3, d, h, w)
        Share of each voxel of the PET that is of each site.
    hu : ndarray of shape (d, h, w) or None
        HU on the grid of the PET.
    """
    if not shares:
        return []
    labels = np.rint(mask.data).astype(np.int32)
    voxels, boxes = np.bincount(labels.ravel()), ndimage.find_objects(labels)
    around = np.zeros(pet.data.shape, dtype=bool)
    for one in shares:
        around[one.box] |= one.core
    peaks = peak_map(pet, around)
    found = []
    for one in shares:
        suv = pet.data[one.box]
        box = boxes[one.label - 1]
        centre = np.argwhere(labels[box] == one.label).mean(axis=0) + [part.start for part in box]
        world = mask.affine[:3, :3] @ centre + mask.affine[:3, 3]
        # A tie of sites is one of the sums; the first wins, as in a label volume.
        place = int(np.argmax([(part[one.box] * one.share).sum() for part in site]))
        found.append(
            Lesion(
                one.label,
                SITES[place],
                tuple(np.round(world, 2).tolist()),
                float(voxels[one.label] * mask.voxel_ml),
                float(suv[one.core].max()),
                float(peaks[one.box][one.core].max()),
                float(np.average(suv, weights=one.share)),
                float("nan") if hu is None else float(np.average(hu[one.box], weights=one.share)),
                float("nan"),
            )
        )
    return found
