"""Similarity measures by independent routes, and maps that follow the weights."""

from __future__ import annotations

import numpy as np
import pytest
from saliency_helpers import fusion_model, pet_model
from scipy import ndimage, stats
from sklearn.base import clone

from prrt_estimators.inspection import (
    SaliencyMaps,
    label_randomisation,
    map_similarity,
    randomise_weights,
    saliency,
    weight_randomisation,
)
from prrt_estimators.inspection._sanity import shuffled_labels


def maps_of(values):
    values = np.asarray(values, dtype=np.float32)[:, None]
    return SaliencyMaps(
        {"pet": values},
        volumes={"pet": values},
        affines={"pet": np.tile(np.eye(4), (len(values), 1, 1))},
        ids=[f"P{row}" for row in range(len(values))],
        probability=np.full(len(values), 0.5),
        method="gradient",
        target="logit",
    )


def ssim_by_definition(one, other, window=7):
    """Mean over all windows that fit, with the constants of Wang et al. for a range of 1."""

    def mean(values):
        inner = tuple(slice(window // 2, size - window // 2) for size in values.shape)
        return ndimage.uniform_filter(values, window)[inner]

    mx, my = mean(one), mean(other)
    vx, vy, cov = mean(one**2) - mx**2, mean(other**2) - my**2, mean(one * other) - mx * my
    c1, c2 = 0.01**2, 0.03**2
    return (((2 * mx * my + c1) * (2 * cov + c2)) / ((mx**2 + my**2 + c1) * (vx + vy + c2))).mean()


def test_similarity_by_independent_routes():
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 1, 12, 11, 10))
    other += 0.5 * one
    row = map_similarity(maps_of(one), maps_of(other)).iloc[0]
    a, b = (np.abs(values[0].astype(np.float32).astype(np.float64)) for values in (one, other))
    ranks = np.corrcoef(stats.rankdata(a), stats.rankdata(b))[0, 1]
    assert row["spearman"] == pytest.approx(ranks)
    a, b = (np.clip(values / np.quantile(values, 0.999), 0, 1) for values in (a, b))
    assert row["ssim"] == pytest.approx(ssim_by_definition(a, b), abs=1e-4)


def test_similarity_is_blind_to_sign_and_scale_and_sees_everything_else():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(2, 16, 16, 16))
    maps = maps_of(values)
    same = map_similarity(maps, maps_of(-3e-5 * values))
    np.testing.assert_allclose(same[["spearman", "ssim"]], 1, atol=1e-4)
    other = map_similarity(maps, maps_of(rng.normal(size=values.shape)))
    assert (other["spearman"].abs() < 0.06).all()
    flat = map_similarity(maps, maps_of(np.zeros_like(values)))
    assert flat[["spearman", "ssim"]].isna().all(axis=None)
    with pytest.raises(ValueError, match="same patients"):
        map_similarity(maps, maps_of(values[:1]))


def test_randomised_weights_are_those_before_training():
    model, X, _ = fusion_model()
    before = {key: value.clone() for key, value in model.net_.module_.state_dict().items()}
    other = randomise_weights(model, random_state=0)
    assert all((value == before[key]).all() for key, value in model.net_.module_.state_dict().items())
    fresh = other.net_.module_.state_dict()
    weights = [key for key, value in before.items() if value.ndim > 1]
    assert len(weights) > 20
    assert not any((fresh[key] == before[key]).all() for key in weights)
    # As torch draws them: the spread of a convolution's weights is that of Kaiming's uniform distribution.
    first = fresh["encoders.ct.network.layer4.0.conv1.weight"]
    assert float(first.std()) == pytest.approx(1 / np.sqrt(3 * first[0].numel()), rel=0.05)
    same = randomise_weights(model, random_state=0).predict_proba(X)
    np.testing.assert_array_equal(other.predict_proba(X), same)
    assert not np.allclose(randomise_weights(model, random_state=1).predict_proba(X), same)


def test_maps_follow_the_weights():
    model, X, y = pet_model()
    has = X[y == 0][:6]
    before = model.predict_proba(X)
    table = weight_randomisation(model, has, random_state=0)
    assert table["layers"].tolist() == ["fully connected layers", "embeddings", "second", "first"]
    assert table["stage"].tolist() == [1, 2, 3, 4]
    assert (table["n_patients"] == 6).all()
    assert table["ssim"].iloc[-1] < 0.6
    assert table["spearman"].iloc[-1] < 0.6
    np.testing.assert_array_equal(model.predict_proba(X), before)
    # What happens when nothing is randomised: the numbers could have stayed at 1.
    unchanged = map_similarity(saliency(model, has), saliency(model, has))
    np.testing.assert_allclose(unchanged[["spearman", "ssim"]], 1, atol=1e-6)


def test_stages_randomise_pet_and_ct_side_by_side():
    model, X, _ = fusion_model()
    table = weight_randomisation(model, X[:1], random_state=0)
    assert table.loc[table["modality"] == "ct", "layers"].tolist() == [
        "fully connected layers",
        "embeddings",
        "layer4",
        "layer3",
        "layer2",
        "layer1",
        "bn1",
        "conv1",
    ]
    assert sorted(table["modality"].unique()) == ["ct", "pet"]


def test_labels_shuffled_and_true():
    model, X, y = pet_model()
    quick = clone(model).set_params(max_epochs=2).fit(X, y)
    table = label_randomisation(quick, X, y, X[:2], n_runs=2, random_state=0)
    assert table["labels"].tolist() == ["true", "shuffled"] * 2
    assert table["run"].tolist() == [0, 0, 1, 1]
    assert table["spearman"].between(-1, 1).all()
    again = label_randomisation(quick, X, y, X[:2], n_runs=2, random_state=0)
    np.testing.assert_array_equal(table["spearman"], again["spearman"])
    with pytest.raises(ValueError, match="`n_runs`"):
        label_randomisation(quick, X, y, X, n_runs=0)
    with pytest.raises(TypeError, match="one by one"):
        weight_randomisation([quick], X)


@pytest.mark.parametrize("labels", [np.arange(40) % 2, np.r_[np.zeros(42), np.ones(74)].astype(int), list("aab") * 9])
def test_shuffled_labels_tell_nothing_of_the_true_ones(labels):
    labels = np.asarray(labels)
    shuffled = shuffled_labels(labels, np.random.RandomState(0))
    _, true = np.unique(labels, return_inverse=True)
    _, drawn = np.unique(shuffled, return_inverse=True)
    assert abs(np.corrcoef(true, drawn)[0, 1]) < 0.05
    assert drawn.mean() == pytest.approx(true.mean(), abs=1.5 / len(labels))
    assert not np.array_equal(shuffled, shuffled_labels(labels, np.random.RandomState(1)))
