"""A scan on the grid that published weights were trained with."""

from __future__ import annotations

import numpy as np
import torch

from prrt_estimators._modalities import MODALITIES


def onto_grid(
    data: np.ndarray,
    affine: np.ndarray,
    *,
    size: tuple[int, int, int],
    spacing: tuple[float, float, float],
    modality: str,
) -> np.ndarray:
    """Bring a scan to a spacing, then pad and crop it about its own middle, with MONAI's transforms.

    Unlike `into_box` nothing is smoothed before shrinking, and the middle is that of this scan: so were the weights
    trained, and other voxels would be foreign to them.

    Parameters
    ----------
    data : ndarray of shape (d, h, w)
        SUVbw or HU.
    affine : ndarray of shape (4, 4)
        Voxel indices to RAS+ millimetres.
    size : tuple of 3 ints
        Voxels along Right, Anterior, Superior.
    spacing : tuple of 3 floats
        Millimetres between them.
    modality : str
        Decides the padding, such as 0 SUV or -1024 HU.

    Returns
    -------
    ndarray of float32, shape `size`
    """
    # Imported on demand, as it takes seconds.
    from monai.data import MetaTensor
    from monai.transforms import CenterSpatialCrop, Compose, Orientation, Spacing, SpatialPad

    # Scanners pad with -2000 or -3024 outside their circle: air, and not to be smeared into the patient.
    outside = MODALITIES[modality].outside
    data = np.maximum(data, outside).astype(np.float32)
    volume = MetaTensor(torch.from_numpy(data[None]), affine=torch.as_tensor(affine, dtype=torch.float64))
    bring = Compose(
        [
            Orientation(axcodes="RAS", labels=(("L", "R"), ("P", "A"), ("I", "S"))),
            Spacing(pixdim=spacing, mode="bilinear", dtype=np.float32),
            SpatialPad(spatial_size=size, value=outside),
            CenterSpatialCrop(roi_size=size),
        ]
    )
    return np.ascontiguousarray(bring(volume).as_tensor().numpy()[0])
