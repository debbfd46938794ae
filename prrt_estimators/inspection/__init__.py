"""Why a model says what it says: laboratory values, modalities, feature space and maps."""

from prrt_estimators.inspection._embedding import (
    OutOfFoldFeatures,
    class_separation,
    out_of_fold_features,
    umap_embedding,
)
from prrt_estimators.inspection._groups import correlated_groups
from prrt_estimators.inspection._importance import PermutationImportance, forest_importance, permutation_importance
from prrt_estimators.inspection._shap import ShapExplanation, shap_values
from prrt_estimators.inspection._shapley import modality_shapley

__all__ = [
    "OutOfFoldFeatures",
    "PermutationImportance",
    "ShapExplanation",
    "class_separation",
    "correlated_groups",
    "forest_importance",
    "modality_shapley",
    "out_of_fold_features",
    "permutation_importance",
    "shap_values",
    "umap_embedding",
]
