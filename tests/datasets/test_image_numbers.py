"""Numbers measured in images: recognised by name, a block of their own, never a time."""

from __future__ import annotations

import csv
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from prrt_estimators import Cohort, load_cohort, load_model, save_model
from prrt_estimators.datasets import check_cohort
from prrt_estimators.datasets._column_vocabulary import file_kind, guess_name
from prrt_estimators.datasets._image_numbers import says_image_number, words_beside
from prrt_estimators.estimators import BlockFusionPFSClassifier, LabPFSClassifier
from prrt_estimators.exceptions import CohortError, LeakageError, MissingModalityError
from prrt_estimators.model_selection._digest import data_digest
from prrt_estimators.preprocessing import TableBlock

NAMES = Path(__file__).parents[1] / "data" / "column_names.csv"
#: Features of each family as MIRP writes them, and what it writes behind those that depend on bins.
MIRP = {
    "": "morph_volume morph_vol_approx morph_area_mesh morph_av morph_comp_1 morph_sph_dispr morph_asphericity morph_com "
    "morph_diam morph_max_2d_diam_x morph_pca_maj_axis morph_pca_least_axis morph_vol_dens_aabb morph_area_dens_conv_hull "
    "morph_integ_int morph_moran_i morph_geary_c loc_peak_loc loc_peak_glob stat_mean stat_var stat_skew stat_p10 stat_iqr "
    "stat_range stat_cov stat_qcod stat_energy stat_rms stat_total_energy_offset ivh_v10 ivh_i90 ivh_diff_v10_v90 ivh_auc",
    "_fbs_w25.0": "ih_mean ih_entropy ih_p90 ih_min_grad_g ih_max_grad rlm_sre_3d_avg rlm_rl_entr_3d_avg szm_zs_var_3d "
    "szm_lgze_3d dzm_sdhge_3d dzm_zd_entr_3d ngt_coarseness_3d ngl_lde_d1_a0.0_3d ngl_dc_energy_d1_a0.0_3d",
    "_d1_3d_avg_fbn_n32": "cm_joint_max cm_diff_avg cm_diff_var cm_sum_entr cm_inv_diff_mom_norm cm_info_corr1 cm_clust_tend "
    "cm_auto_corr cm_contrast",
}
PYRADIOMICS = [
    "original_shape_MeshVolume", "original_firstorder_10Percentile", "wavelet-LLH_glcm_Idmn", "lbp-3D-k_firstorder_Mean",
    "log-sigma-3-0-mm-3D_gldm_DependenceVariance", "PET_original_glszm_ZoneEntropy", "wavelet-HHL_glcm_DifferenceAverage",
]  # fmt: skip
UPTAKE = [
    "SUVmax",
    "SUVpeak",
    "MTV_ml",
    "TLG",
    "TMTV",
    "Dmax_mm",
    "SUVmean Leber",
    "SSTR-TV [ml]",
    "HU mean",
    "Milz SUVmean",
]
EVERY = [f"{name}{end}" for end, names in MIRP.items() for name in names.split()] + PYRADIOMICS + UPTAKE


def table(names: list[str], n: int = 40) -> pd.DataFrame:
    """Return a cohort's table with numbers under these names."""
    rng = np.random.default_rng(0)
    cohort = pd.DataFrame(
        {
            "patient_id": [f"P{k}" for k in range(n)], "CgA [ug/l]": rng.lognormal(5, 1, n), "AST": rng.integers(9, 90, n),
            "pfs_months": rng.exponential(18, n) + 1, "progressed": np.ones(n, dtype=int),
        }
    )  # fmt: skip
    return cohort.join(pd.DataFrame(rng.normal(size=(n, len(names))), columns=names))


@pytest.mark.parametrize("before", ["", "pet_", "CT ", "wavelet_coif4_level_1_hhh_", "log_s2.0_", "tumour_"])
def test_names_of_programs_are_recognised(before):
    assert [name for name in EVERY if not says_image_number(before + name) and name not in UPTAKE] == []
    assert [name for name in UPTAKE if not says_image_number(name)] == []


@pytest.mark.parametrize(
    "name",
    ["Week 25", "w25", "height_cm", "status", "stat", "diagnosis", "contrast agent", "CgA", "diff", "ct_path", "volume", "HU",
     "Statin", "Morphologie", "max. Durchmesser [mm]", "local recurrence", "cm", "dose_max", "SUV change", "ID"],
)  # fmt: skip
def test_other_names_are_none(name):
    assert not says_image_number(name)


def test_what_was_measured_after_therapy_stays_out():
    later = ["SUVmax week 12", "SUVmax nach Zyklus 4", "delta SUVmax", "post_original_glcm_Contrast", "delta_stat_mean",
             "week 12 ih_mean_fbs_w25.0", "ih_mean_fbs_w25.0_post", "follow-up stat_mean"]  # fmt: skip
    assert [name for name in later if (said := guess_name(name)) is None or said.role != "after_therapy"] == []
    assert words_beside("szm_zs_var_fbs_w25.0_3d") == "var"


def test_they_are_a_block_of_their_own():
    bunch = load_cohort(table(EVERY), verbose=False)
    assert list(bunch.X.blocks["radiomics"].columns) == EVERY
    assert list(bunch.X["lab"].columns) == ["CgA [ug/l]", "AST"]
    assert set(bunch.roles.set_index("column").loc[EVERY, "role"]) == {"radiomics"}
    part = bunch.X[3:5]
    assert part.blocks["radiomics"].equals(bunch.X.blocks["radiomics"].iloc[3:5])
    assert Cohort(part).blocks["radiomics"].shape == part.select("lab").blocks["radiomics"].shape == (2, len(EVERY))


def test_the_user_s_word_goes_first():
    frame = table(EVERY)
    by_name = load_cohort(frame, lab=EVERY, verbose=False).X
    assert list(by_name["lab"].columns) == EVERY
    assert not by_name.blocks
    assert not load_cohort(frame, blocks=None, verbose=False).X.blocks
    named = load_cohort(frame, blocks={"pet": ["SUVmax", "AST"]}, verbose=False).X
    assert {name: list(block.columns) for name, block in named.blocks.items()} == {"pet": ["SUVmax", "AST"]}
    assert list(named["lab"].columns) == ["CgA [ug/l]"]
    alone = load_cohort(frame.drop(columns=["CgA [ug/l]", "AST"]), verbose=False).X
    assert list(alone["lab"].columns) == EVERY


def test_what_cannot_be_in_a_block_is_refused():
    frame = table(["SUVmax", "SUVmax week 12"])
    with pytest.raises(LeakageError, match="SUVmax week 12"):
        load_cohort(frame, blocks={"x": ["SUVmax week 12"]}, verbose=False)
    with pytest.raises(CohortError, match="no such column"):
        load_cohort(frame, blocks={"x": ["SUVmix"]}, verbose=False)
    with pytest.raises(CohortError, match="patient_id"):
        load_cohort(frame, blocks={"x": ["patient_id"]}, verbose=False)
    with pytest.raises(TypeError, match="blocks"):
        load_cohort(frame, blocks={"x": "SUVmax"}, verbose=False)
    frame["SUVmax"] = ["high", "low"] * 20
    problems = check_cohort(frame)
    assert [(problem.column, problem.patient) for problem in problems] == [("SUVmax", "P0")]


def test_a_table_handed_to_fit_may_hold_them():
    model = LabPFSClassifier(n_estimators=3, random_state=0).fit(table(EVERY)[EVERY], np.arange(40) % 2)
    assert model.n_features_in_ == len(EVERY)


def test_blocks_are_learnt_from_saved_and_digested(tmp_path):
    frame = table(["SUVmax", "morph_volume"])
    frame["pfs_months"] = 12 * np.exp(frame["SUVmax"] + np.random.default_rng(1).normal(0, 0.7, 40))
    bunch = load_cohort(frame, verbose=False)
    model = BlockFusionPFSClassifier().fit(bunch.X, bunch.y, time=bunch.time, event=bunch.event)
    assert list(model.blocks_) == ["labs", "radiomics"]
    assert model.coef_[list(model.feature_names_in_).index("radiomics__SUVmax")] > 0.1
    probability = model.predict_proba(bunch.X)
    save_model(model, tmp_path / "m.prrt", X=bunch.X, y=bunch.y)
    assert np.array_equal(load_model(tmp_path / "m.prrt").predict_proba(bunch.X), probability)
    columns = BlockFusionPFSClassifier(blocks={"uptake": ["SUVmax"], "AST": ["AST"]}).fit(bunch.X, bunch.y)
    assert list(columns.blocks_) == ["uptake", "AST"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        without = model.predict_proba(Cohort({"lab": bunch.X["lab"]}, ids=bunch.X.ids))
    assert np.isfinite(without).all()
    changed = Cohort(bunch.X, blocks={"radiomics": bunch.X.blocks["radiomics"] + 1})
    assert data_digest(bunch.X, bunch.y, bunch.X.ids, None) != data_digest(changed, bunch.y, bunch.X.ids, None)


def test_a_block_asks_for_its_columns():
    X = Cohort(
        {"lab": pd.DataFrame({"AST": [1.0, 2.0]})}, blocks={"r": pd.DataFrame({"a": [1.0, np.inf], "b": ["x", "y"]})}
    )
    with pytest.raises(MissingModalityError, match="'radiomics'"):
        TableBlock("radiomics").fit(X)
    with pytest.raises(ValueError, match="nothing_such"):
        TableBlock(["AST", "nothing_such"]).fit(X)
    for name in ("a", "b"):
        with pytest.raises(ValueError, match=f"column '{name}'"):
            TableBlock([name]).fit_transform(X)
    assert TableBlock(["AST"]).fit_transform(X)["AST"].tolist() == [1.0, 2.0]
    with pytest.raises(ValueError, match="block r"):
        Cohort({"lab": np.eye(3)}, blocks={"r": np.eye(2)})


def test_names_of_columns_mean_what_they_are():
    with open(NAMES, encoding="utf-8") as file:
        wanted = list(csv.DictReader(file, delimiter=";"))
    assert len(wanted) >= 300
    found = [
        {
            "name": row["name"],
            "role": said.role if (said := guess_name(row["name"])) else "",
            "files": file_kind(row["name"]) or "",
        }
        for row in wanted
    ]
    assert found == wanted


def test_files_under_other_names_are_no_scans(tmp_path):
    frame = table([])
    for name in (
        "spect",
        "subject",
        "product",
        "defect",
        "SPECT/CT",
        "spectct_path",
        "Szintigraphie CT",
        "CT der SPECT",
    ):
        assert file_kind(name) is None
    frame["product"] = [f"{k}.nii.gz" for k in range(40)]
    bunch = load_cohort(frame, verbose=False, root=tmp_path)
    assert "ct" not in bunch.X
    assert bunch.roles.set_index("column").loc["product", "role"] == "path"
