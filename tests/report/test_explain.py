"""One folder of explanations: what is in it, what it warns of, and that nobody is explained by a model that saw them."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from layout_helpers import principal_components

from prrt_estimators import (
    Cohort,
    FusionPFSClassifier,
    LabBaselineClassifier,
    LabPFSClassifier,
    PETPFSClassifier,
    Volumes,
)
from prrt_estimators.plotting import _embedding
from prrt_estimators.report import explain_model, explain_models
from prrt_estimators.report._explain import most_telling
from prrt_estimators.report._explained import WRITTEN, ExplanationFolder

TINY = {"max_epochs": 1, "random_state": 0, "device": "cpu", "augment": None}


@pytest.fixture(autouse=True)
def _quick_layout(monkeypatch):
    monkeypatch.setattr(_embedding, "umap_embedding", principal_components)


@pytest.fixture
def patients():
    rng = np.random.default_rng(0)
    y = np.tile([0, 1], 8)
    lab = pd.DataFrame(
        {"cga_ug_l": np.where(y, 50.0, 900.0) * rng.uniform(0.8, 1.2, 16), "age": rng.uniform(40, 80, 16)}
    )
    pet = rng.random((16, 1, 8, 8, 8)).astype(np.float32)
    mask = np.zeros_like(pet)
    mask[:, :, 2:4, 2:4, 2:4] = 1
    data = {"pet": pet, "ct": Volumes(100 * rng.random((16, 1, 8, 8, 8)), spacing=10.0), "lab": lab}
    return Cohort(data, ids=[f"P{k:02d}" for k in range(16)], masks={"lesion": mask}), y


@pytest.fixture
def models():
    return {
        "lab": LabPFSClassifier(n_estimators=10, random_state=0),
        "pet_ct_lab": FusionPFSClassifier(**TINY),
        "baseline_lab": LabBaselineClassifier(),
    }


def summary(low, high):
    rows = {"lab": (0.7, 0.5, 0.8), "pet_ct_lab": ((low + high) / 2, low, high), "baseline_lab": (0.6, 0.5, 0.7)}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["auroc_mean", "auroc_low", "auroc_high"])


def test_a_comparison_is_explained_in_one_folder(tmp_path, patients, models):
    X, y = patients
    told = []
    page = explain_models(models, X, y, tmp_path, cv=2, summary=summary(0.6, 0.8), n_patients=2, progress=told.append)
    text = page.read_text("utf-8")
    wanted = [
        "forest_importance",
        "permutation_importance",
        "shap",
        "modalities",
        "embedding_class",
        "embedding_probability",
    ]
    for name in wanted:
        assert np.ptp(plt.imread(tmp_path / f"{name}.png")) > 0, "something is drawn"
    assert text.count("<img") == len(wanted) + 1 + 2  # dependence, and a map of two patients
    assert "http" not in text.replace("http://www.w3.org", "")
    assert "better than chance" not in text
    modalities = pd.read_csv(tmp_path / "modalities.csv")
    assert modalities["patient_id"].tolist() == X.ids.tolist()
    total = modalities[["pet", "ct", "lab"]].sum(axis=1) + modalities["base"]
    np.testing.assert_allclose(total, modalities["prediction"], atol=1e-6)
    regions = pd.read_csv(tmp_path / "regions.csv")
    assert set(regions["patient_id"]) == set(X.ids)
    assert (tmp_path / "viewer.html").exists()
    assert len(list((tmp_path / "maps").glob("*.png"))) == 2
    assert any("maps" in sentence for sentence in told)


def test_nobody_is_explained_by_a_model_that_saw_them(tmp_path, patients, models, monkeypatch):
    X, y = patients
    seen, fits = [], []
    fit = FusionPFSClassifier.fit

    def spy(self, A, b, sample_weight=None):
        fits.append(len(A))
        self.trained_on = set(A.ids)
        return fit(self, A, b, sample_weight)

    def look(est, A, **_):
        seen.append((est.trained_on, set(A.ids)))
        return real(est, A)

    from prrt_estimators.report import _maps

    real = _maps.saliency
    monkeypatch.setattr(FusionPFSClassifier, "fit", spy)
    monkeypatch.setattr(_maps, "saliency", look)
    explain_models({"pet_ct_lab": models["pet_ct_lab"]}, X, y, tmp_path, cv=2, n_patients=2)
    assert fits == [8, 8]  # modalities, feature space and maps are of the same models
    assert len(seen) == 2
    for trained, explained in seen:
        assert not trained & explained
    assert set().union(*(explained for _, explained in seen)) == set(X.ids)


def test_maps_of_a_model_at_chance_say_so(tmp_path, patients, models):
    X, y = patients
    page = explain_models(models, X, y, tmp_path, cv=2, summary=summary(0.4, 0.7), n_patients=2)
    assert "0.40 to 0.70) includes 0.5" in page.read_text("utf-8")


@pytest.mark.filterwarnings("ignore::prrt_estimators.exceptions.ExplanationWarning")
def test_a_fitted_model_is_explained_on_other_patients(tmp_path, patients, models):
    X, y = patients
    model = models["pet_ct_lab"].fit(X[:10], y[:10])
    page = explain_model(model, X[10:], tmp_path, y=y[10:], n_patients=2)
    text = page.read_text("utf-8")
    assert "its AUROC is" in text
    assert (tmp_path / "shap.csv").exists()
    assert pd.read_csv(tmp_path / "modalities.csv")["patient_id"].tolist() == X.ids[10:].tolist()
    without = explain_model(model, X[10:], tmp_path / "without", n_patients=2)
    assert "AUROC" not in without.read_text("utf-8").split("<h2>")[0]


def test_a_table_alone_has_no_maps(tmp_path, patients, models):
    X, y = patients
    page = explain_models({"lab": models["lab"]}, X.select("lab"), y, tmp_path, cv=2)
    assert "Maps" not in page.read_text("utf-8")
    with pytest.raises(ValueError, match="nothing to explain"):
        explain_models({"baseline_lab": models["baseline_lab"]}, X, y, tmp_path, cv=2)


def test_scans_of_one_kind_have_no_shares_and_no_labs(tmp_path, patients):
    X, y = patients
    page = explain_models({"pet": PETPFSClassifier(**TINY)}, X.select("pet"), y, tmp_path, cv=2, n_patients=2)
    text = page.read_text("utf-8")
    assert "Maps" in text
    assert not (tmp_path / "modalities.csv").exists()
    assert len(list((tmp_path / "maps").glob("*.png"))) == 2


def test_most_telling_patients_are_the_most_confident_right_ones():
    y = np.array([0, 0, 0, 1, 1, 1])
    p_long = np.array([0.4, 0.1, 0.9, 0.6, 0.95, 0.2])
    assert most_telling(p_long, y, 4) == [1, 0, 4, 3]
    assert most_telling(p_long, y, 1) == [1]
    # All of one class: its most confident ones.
    assert most_telling(p_long[3:], y[3:], 2) == [1, 0]
    assert most_telling(p_long[3:], y[3:], 1) == [1]
    assert most_telling(p_long[3:], y[3:], 9) == [1, 0, 2]


def test_maps_are_made_a_few_patients_at_a_time_and_kept_of_those_who_are_shown(patients, models, monkeypatch):
    from prrt_estimators.report import _maps

    X, y = patients
    model = models["pet_ct_lab"].fit(X, y)
    asked = []

    def look(est, A, **options):
        asked.append(A.ids.tolist())
        return real(est, A, **options)

    real = _maps.saliency
    monkeypatch.setattr(_maps, "saliency", look)
    shown = [9, 2, 15]
    with_masks = _maps.FoundMaps()
    with_masks.look(model, X, range(16), shown, method="gradient")
    assert [len(ids) for ids in asked] == [8, 8]
    assert sorted(with_masks.rows) == sorted(shown)
    assert pd.concat(with_masks.regions)["patient_id"].nunique() == 16
    kept = with_masks.maps(shown)
    assert kept.ids.tolist() == X.ids[shown].tolist()
    np.testing.assert_array_equal(kept["pet"], real(model, X[shown])["pet"])
    # Without masks nobody asks for the maps of patients who are not shown.
    asked.clear()
    without = _maps.FoundMaps()
    bare = Cohort(dict(X), ids=X.ids)
    without.look(model, bare, range(16), shown, method="gradient")
    assert asked == [[X.ids[2], X.ids[9], X.ids[15]]]
    assert without.regions == []
    np.testing.assert_array_equal(without.maps(shown)["ct"], kept["ct"])


def test_a_scan_that_cannot_be_followed_back_is_named_on_the_page(tmp_path, patients, models, monkeypatch):
    from prrt_estimators.report import _maps

    def look(est, A, **options):
        maps = real(est, A, **options)
        maps.pop("ct")
        maps.without_place = {"ct": "there is no file w.pt."}
        return maps

    real = _maps.saliency
    X, y = patients
    monkeypatch.setattr(_maps, "saliency", look)
    page = explain_model(models["pet_ct_lab"].fit(X, y), X, tmp_path, n_patients=2)
    assert "No map of CT: there is no file w.pt." in page.read_text("utf-8")


def test_a_list_of_old_files_leads_nowhere_else(tmp_path):
    outside = tmp_path / "outside.csv"
    outside.write_text("x")
    folder = tmp_path / "explain"
    for content in ('["../outside.csv", "old.csv", 3]', "no json", '{"a": 1}'):
        folder.mkdir(exist_ok=True)
        (folder / "old.csv").write_text("x")
        (folder / WRITTEN).write_text(content)
        ExplanationFolder(folder, "title").close()
        assert outside.exists()
        assert (folder / "old.csv").exists() == ("old" not in content)
        assert (folder / WRITTEN).read_text("utf-8").split() == ["[", '"explain.html"', "]"]


def test_maps_of_a_scan_are_shown_only_if_all_patients_have_them(patients, models):
    """Free memory decides anew for each few patients whether a large network can be followed back."""
    from prrt_estimators.inspection import saliency
    from prrt_estimators.report._maps import FoundMaps

    X, y = patients
    model = models["pet_ct_lab"].fit(X, y)
    for short_of_memory in (0, 1):
        parts = [saliency(model, X[:2]), saliency(model, X[2:4])]
        del parts[short_of_memory]["ct"]
        parts[short_of_memory].without_place = {"ct": "one patient needs 9 GB."}
        maps = FoundMaps(parts, [0, 1, 2, 3]).maps([3, 0])
        assert list(maps) == ["pet"]
        assert maps.ids.tolist() == X.ids[[3, 0]].tolist()
        assert maps.without_place == {"ct": "one patient needs 9 GB."}


def test_an_explanation_that_breaks_off_is_taken_away_by_the_next(tmp_path):
    first = ExplanationFolder(tmp_path, "title")
    first.close()
    second = ExplanationFolder(tmp_path, "title")
    assert not (tmp_path / "explain.html").exists()  # rather none than one beside the figures of another
    (tmp_path / "figure.png").write_text("x")
    second.wrote([tmp_path / "figure.png"])
    ExplanationFolder(tmp_path, "title").close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [WRITTEN, "explain.html"]
