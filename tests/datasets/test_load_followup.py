"""Kaplan-Meier of a cohort holds everybody, those censored before the horizon too."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from lifelines import KaplanMeierFitter

from prrt_estimators.datasets import load_cohort
from prrt_estimators.model_selection import cohort_table


@pytest.mark.filterwarnings("ignore::prrt_estimators.exceptions.CensoredPatientsWarning")
def test_early_censored_patients_stay_in_the_curve():
    # Exponential PFS with a median of 17.3 months; a quarter and more are censored before a year.
    rng = np.random.default_rng(1)
    n = 4000
    pfs, censored = rng.exponential(25.0, n), np.where(rng.random(n) < 0.45, rng.uniform(0, 14, n), 99.0)
    table = pd.DataFrame(
        {
            "age": rng.integers(40, 80, n),
            "pfs_months": np.minimum(pfs, censored).round(3) + 0.001,
            "progressed": (pfs <= censored).astype(int),
        }
    )
    data = load_cohort(table, verbose=False)
    assert len(data.followup) == n > len(data.X)
    everybody = KaplanMeierFitter().fit(data.followup["time"], data.followup["event"])
    assert everybody.predict(12.0) == pytest.approx(np.exp(-12 / 25), abs=0.02)
    row = cohort_table(data.X, data.y, followup=data.followup).set_index("variable").loc["PFS by Kaplan-Meier (months)"]
    assert row["median_all"] == everybody.median_survival_time_ == pytest.approx(25 * np.log(2), rel=0.06)
    compared = cohort_table(data.X, data.y).set_index("variable").loc["PFS by Kaplan-Meier (months)"]
    assert compared["median_all"] < 0.95 * row["median_all"]  # who was censored early is missing there
