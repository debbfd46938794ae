"""What counts as a lesion: the finder, given masks, or thresholds of uptake with physiological uptake left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from prrt_estimators._modalities import CT, PET
from prrt_estimators.contours import Shares
from prrt_estimators.features._field import TOUCHING, Lesion, label_lesions, lesions_of, per_lesion
from prrt_estimators.features._images import Image, from_box, mask_onto_box, on_voxels_of, onto_grid_of
from prrt_estimators.features._lesion_finder import Findings
from prrt_estimators.features._networks import ORGANS, SITES
from prrt_estimators.features._prognostic import Tumour
from prrt_estimators.features._shared_lesions import core_labels, shared_lesions, shares_on

#: Ways to say what a lesion is, in the order in which they are documented.
DEFINITIONS = ("phantom", "mask", "suv4", "liver", "41%", "50%")

#: Share of tumour above which the finder's voxels are delineated.
FOUND_SHARE = 0.4
#: Smaller lesions of the finder and of thresholds are noise; masks count as they are.
MIN_LESION_ML = 0.5
#: SUVbw of the fixed threshold, also where a lesion begins for the relative ones.
_FIXED_SUV = 4.0
#: Threshold relative to the liver: 1.5 x mean + 2 SD, as PERCIST 1.0 takes it.
_LIVER_FACTOR, _LIVER_SD = 1.5, 2.0
#: Share of an organ from which its uptake is physiological.
_ORGAN_SHARE = 0.2
_PHYSIOLOGICAL = ("spleen", "kidney", "bladder")


@dataclass(frozen=True)
class Delineation:
    """The lesions of one patient on the scans' own grids, and on the working grid.

    Parameters
    ----------
    tumour : Tumour
        On the working grid.
    pet_labels, ct_labels : ndarray of int or None
        Lesions numbered from 1 on the grid of the PET and of the CT.
    pet_lesions, ct_lesions : list of Lesion
    pet_shares : list of Shares or None, default=None
        Of masks on another grid than the PET's: how much of each voxel of the PET lies in each lesion. `pet_labels` then holds the
        voxels that are half lesion or more, or those with the greatest share.
    """

    tumour: Tumour
    pet_labels: np.ndarray | None
    ct_labels: np.ndarray | None
    pet_lesions: list[Lesion]
    ct_lesions: list[Lesion]
    pet_shares: list[Shares] | None = None


def delineate(
    lesions: str,
    pet: Image | None,
    ct: Image | None,
    findings: Findings,
    confidence: Mapping[str, tuple[float, ...]],
    masks: Mapping[str, Image | None] | None = None,
) -> Delineation:
    """Return the lesions of one patient by one definition.

    Parameters
    ----------
    lesions : str
        One of `DEFINITIONS`.
    pet, ct : Image or None
    findings : Findings
        Of the same scans: the tissues, and the lesions of ``"phantom"``.
    confidence : mapping
        See `FinderWeights`.
    masks : mapping of modality to Image or None, default=None
        For ``"mask"``.
    """
    if lesions == "phantom":
        return _found(pet, ct, findings, confidence)
    if lesions == "mask":
        drawn = (masks or {}).get(PET.name), (masks or {}).get(CT.name)
        pet_labels, ct_labels = (
            None if scan is None or mask is None else onto_grid_of(mask, scan)
            for scan, mask in zip((pet, ct), drawn, strict=True)
        )
        shares = [None if mask is None else mask_onto_box(mask, findings.box) for mask in drawn]
        found = _given(pet, ct, findings, pet_labels, ct_labels, shares)
        if pet is None or drawn[0] is None or on_voxels_of(drawn[0], pet):
            return found
        return _on_another_grid(found, drawn[0], pet, ct, findings)
    above = None if pet is None else _above(lesions, pet, findings)
    if pet is None or above is None:
        return _given(pet, ct, findings, None, None, [None, None])
    pet_labels = label_lesions(above, pet.voxel_ml, MIN_LESION_ML)
    kept = Image(pet_labels.astype(np.float32), pet.affine)
    ct_labels = None if ct is None else onto_grid_of(kept, ct)
    share = mask_onto_box(kept, findings.box)
    return _given(pet, ct, findings, pet_labels, ct_labels, [share, share if ct is not None else None])


def _found(
    pet: Image | None, ct: Image | None, findings: Findings, confidence: Mapping[str, tuple[float, ...]]
) -> Delineation:
    shares = [part.max(0) for part in (findings.on_pet, findings.on_ct_with_pet) if part is not None]
    if not shares and findings.on_ct is not None:
        shares = [findings.on_ct.max(0)]
    tumour = Tumour(
        findings.pet,
        findings.ct,
        findings.on_pet,
        findings.on_ct,
        np.max(shares, axis=0) if shares else None,
        findings.log_suv,
        findings.per_voxel,
        findings.tissue,
        findings.voxel_ml,
    )
    results: list[tuple[np.ndarray | None, list[Lesion]]] = []
    for scan, image, share in ((PET.name, pet, findings.on_pet), (CT.name, ct, findings.on_ct)):
        if image is None or share is None:
            results.append((None, []))
            continue
        own = from_box(share, findings.box, image)
        labels = label_lesions(own.max(0) > FOUND_SHARE, image.voxel_ml, MIN_LESION_ML)
        site = _by_site(labels, own)
        sure = _confidence(labels, own.max(0), image.voxel_ml, confidence[scan])
        results.append((labels, _lesions(labels, image, site, scan, ct, sure)))
    return Delineation(tumour, results[0][0], results[1][0], results[0][1], results[1][1])


def _given(
    pet: Image | None,
    ct: Image | None,
    findings: Findings,
    pet_labels: np.ndarray | None,
    ct_labels: np.ndarray | None,
    shares: list[np.ndarray | None],
) -> Delineation:
    places = _site_map(findings)
    site_of = [None if share is None else places * share for share in shares]
    either = [share for share in shares if share is not None]
    log_suv = per_voxel = None
    if findings.pet is not None and shares[0] is not None:
        log_suv = np.log(findings.pet + 0.1).astype(np.float32)
        per_voxel = shares[0]
    tumour = Tumour(
        findings.pet,
        findings.ct,
        site_of[0],
        site_of[1],
        np.max(either, axis=0) if either else None,
        log_suv,
        per_voxel,
        findings.tissue,
        findings.voxel_ml,
    )
    results: list[tuple[np.ndarray | None, list[Lesion]]] = []
    for scan, image, labels in ((PET.name, pet, pet_labels), (CT.name, ct, ct_labels)):
        if image is None or labels is None:
            results.append((None, []))
            continue
        site = _by_site(labels, from_box(places, findings.box, image))
        results.append((labels, _lesions(labels, image, site, scan, ct, None)))
    return Delineation(tumour, results[0][0], results[1][0], results[0][1], results[1][1])


def _on_another_grid(found: Delineation, mask: Image, pet: Image, ct: Image | None, findings: Findings) -> Delineation:
    """Return lesions with the numbers of a mask that was drawn on another grid than the PET's."""
    shares = shares_on(mask, pet)
    site = from_box(_site_map(findings), findings.box, pet)
    lesions = shared_lesions(shares, mask, pet, site, None if ct is None else _at(ct, pet, -1024.0))
    labels = core_labels(shares, pet.data.shape)
    return replace(found, pet_labels=labels, pet_lesions=lesions, pet_shares=shares)


def _lesions(
    labels: np.ndarray,
    image: Image,
    site: np.ndarray,
    scan: str,
    ct: Image | None,
    confidence: np.ndarray | None,
) -> list[Lesion]:
    hu = None if ct is None else (ct.data if scan == CT.name else _at(ct, image, CT.outside))
    return lesions_of(labels, image, site, pet=image.data if scan == PET.name else None, hu=hu, confidence=confidence)


def _at(source: Image, image: Image, outside: float) -> np.ndarray:
    """Return a scan at the voxels of another."""
    if source.data.shape == image.data.shape and np.allclose(source.affine, image.affine, atol=2e-3):
        return source.data
    step = np.linalg.inv(source.affine) @ image.affine
    return ndimage.affine_transform(
        source.data, step[:3, :3], offset=step[:3, 3], output_shape=image.data.shape, order=1, cval=outside
    )


def _by_site(labels: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Return the site of each lesion: the one that most of its share has."""
    if not labels.any():
        return np.zeros(0, dtype=int)
    return np.argmax([per_lesion(ndimage.sum, part, labels) for part in share], axis=0)


def _site_map(findings: Findings) -> np.ndarray:
    """Return 1 in the site that a voxel of tumour belongs to: liver and bone by tissue, else "node".

    Liver is where the finder sees liver or tumour of the liver; bone where the CT is above 150 HU outside kidneys, or the
    finder sees tumour of bone.
    """
    liver = findings.tissue[ORGANS.index("liver")].copy()
    bone = np.zeros_like(liver)
    for part in (findings.on_pet, findings.on_ct):
        if part is not None:
            liver = np.maximum(liver, part[SITES.index("liver")])
            bone = np.maximum(bone, part[SITES.index("bone")])
    if findings.ct is not None:
        kidney = findings.tissue[ORGANS.index("kidney")] > _ORGAN_SHARE
        bone = np.maximum(bone, ((findings.ct > 150) & ~kidney).astype(bone.dtype) * 0.45)
    other = np.full_like(liver, 0.25)
    best = np.argmax([liver, bone, other], axis=0)
    return np.stack([best == k for k in range(len(SITES))]).astype(np.float32)


def _confidence(labels: np.ndarray, share: np.ndarray, voxel_ml: float, fit: tuple[float, ...]) -> np.ndarray:
    if not labels.any():
        return np.zeros(0)
    top = np.clip(per_lesion(ndimage.maximum, share, labels), 1e-3, 1 - 1e-3)
    volume = per_lesion(ndimage.sum, share, labels) * voxel_ml
    z = fit[0] + fit[1] * np.log(top / (1 - top)) + fit[2] * np.log(volume + 0.1)
    return 1 / (1 + np.exp(-z))


def _above(lesions: str, pet: Image, findings: Findings) -> np.ndarray | None:
    """Return voxels of the PET above a threshold, without physiological uptake.

    Left out are voxels of spleen, kidneys and bladder, one voxel of the working grid around them included, unless the
    finder sees tumour there; and, for thresholds that do not come from the liver, voxels of the liver that are not above
    1.5 times its mean + 2 SD.
    """
    level = _liver_level(findings)
    if lesions == "liver" and level is None:
        return None
    physiological = np.max([findings.tissue[ORGANS.index(name)] for name in _PHYSIOLOGICAL], axis=0) > _ORGAN_SHARE
    physiological = ndimage.binary_dilation(physiological, TOUCHING)
    tumour = findings.on_pet.max(0) > FOUND_SHARE  # type: ignore[union-attr]
    away = from_box((physiological & ~tumour).astype(np.float32), findings.box, pet) > 0.5
    if lesions == "liver":
        assert level is not None
        return (pet.data >= level) & ~away
    if level is not None:
        liver = from_box(findings.tissue[ORGANS.index("liver")], findings.box, pet) > 0.5
        away |= liver & (pet.data < level)
    fixed = (pet.data >= _FIXED_SUV) & ~away
    if lesions == "suv4":
        return fixed
    return _relative(pet, fixed, away, float(lesions.rstrip("%")) / 100.0)


def _liver_level(findings: Findings) -> float | None:
    """Return 1.5 x mean + 2 SD of the SUV of healthy liver; None where there is hardly any."""
    if findings.pet is None or findings.on_pet is None:
        return None
    liver = findings.tissue[ORGANS.index("liver")] > 0.7
    near = ndimage.maximum_filter(findings.on_pet.max(0), size=3)
    healthy = findings.pet[liver & (near < 0.15)]
    if healthy.size < 10:
        return None
    return float(_LIVER_FACTOR * healthy.mean() + _LIVER_SD * healthy.std())


def _relative(pet: Image, seeds: np.ndarray, away: np.ndarray, part: float) -> np.ndarray:
    """Return each lesion at a part of its own maximum, connected to where that lies."""
    labels, _ = ndimage.label(seeds, TOUCHING)
    result = np.zeros(seeds.shape, dtype=bool)
    reach = np.maximum(np.round(15.0 / pet.spacing).astype(int), 1)
    for number, box in enumerate(ndimage.find_objects(labels), 1):
        wide = tuple(
            slice(max(s.start - r, 0), min(s.stop + r, n)) for s, r, n in zip(box, reach, seeds.shape, strict=True)
        )
        own = labels[wide] == number
        suv = pet.data[wide]
        top = np.where(own, suv, -np.inf)
        place = np.unravel_index(int(np.argmax(top)), top.shape)
        # Voxels of a neighbouring lesion stay with it.
        inside = (suv >= part * top[place]) & ~away[wide] & (own | (labels[wide] == 0))
        connected, _ = ndimage.label(inside, TOUCHING)
        result[wide] |= connected == connected[place]
    return result
