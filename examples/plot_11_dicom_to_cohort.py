"""
From DICOM to a cohort
======================

A folder that the archive wrote and a spreadsheet become scans in SUVbw and HU, pseudonyms and a table. The export here is made
of synthetic patients, and two of them get the damage that real exports have.
"""

# %%
# An export
# ---------
# `make_cohort_folder` writes DICOM series and a spreadsheet with decimal commas, gaps and ``<`` signs.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import nibabel as nib
import numpy as np
import pandas as pd
import pydicom

from prrt_estimators import check_cohort, load_cohort, make_prrt_cohort
from prrt_estimators.datasets import make_cohort_folder
from prrt_estimators.ingest import ingest

folder = Path(tempfile.mkdtemp())
clinical = make_cohort_folder(
    folder / "export", 6, volume_shape=(55, 41, 75), format="dicom", random_state=4
)
print(len(list((folder / "export").rglob("*.dcm"))), "DICOM files and", clinical.name)
pd.read_excel(clinical).iloc[:3, 3:9]

# %%
# The damage: in the middle of one CT a slice is missing, and one PET does not say how much activity was injected.

slices = sorted(
    (folder / "export/dicom/P0002/CT").glob("*.dcm"),
    key=lambda f: pydicom.dcmread(f).InstanceNumber,
)
slices[len(slices) // 2].unlink()
for file in (folder / "export/dicom/P0005/PET").glob("*.dcm"):
    image = pydicom.dcmread(file)
    del image.RadiopharmaceuticalInformationSequence[0].RadionuclideTotalDose
    image.save_as(file)

# %%
# One call
# --------
# ``prrt ingest`` does the same from a shell. Pseudonyms are keyed hashes of the identifiers; the key stays with you.

result = ingest(
    folder / "export",
    clinical,
    folder / "cohort",
    key_file=folder / "secret" / "key",
    verbose=False,
)
print(
    result.n_included,
    "of 6 patients included; identities found in the results:",
    len(result.findings),
)

# %%
# Who was left out, at which stage, and why. The slice was not interpolated and the dose not guessed.

flow = result.flow.set_index("patient_id")
for patient, row in flow[(flow["status"] != "included") & (flow.index != "")].iterrows():
    print(f"{patient} ({row['stage']}): {row['reason']}\n    {row['remedy']}")

# %%
# Look at it
# ----------
# No rule replaces eyes. ``quality_01.png`` has one row of images per patient.

# sphinx_gallery_thumbnail_number = 1
picture = plt.imread(folder / "cohort" / "quality_01.png")
figure, ax = plt.subplots(
    figsize=(9, 9 * picture.shape[0] / picture.shape[1]), layout="constrained"
)
ax.imshow(picture)
ax.set_axis_off()

# %%
# Is the SUV right?
# -----------------
# The header holds activity in Bq/mL, dose, weight and times; SUVbw was computed from them. These patients are synthetic, so the SUV
# that went into the DICOM files is known:

data = load_cohort(result.cohort, verbose=False)
truth = make_prrt_cohort(6, volume_shape=(55, 41, 75), random_state=4)
ages = truth.patients["age"].to_numpy()
patient = int(np.flatnonzero(ages == data.X["lab"]["age"].iloc[0])[0])
scan = nib.as_closest_canonical(nib.load(data.X["pet"].paths[0])).get_fdata()
put_in = truth.X["pet"].array[patient, 0]
print(
    f"greatest SUV {put_in.max():.2f}, read back {scan.max():.2f}; greatest difference {np.abs(scan - put_in).max():.4f}"
)

# %%
# The table
# ---------
# Each column with what it was recognised as, and the reason where it was left out. Ratios such as De Ritis are added.

result.columns.iloc[[0, 5, 6, 15, 24], :].T

# %%
# What `ingest` leaves is what everything else begins with:

print("problems:", check_cohort(result.cohort))
data.X
