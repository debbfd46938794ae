"""What moves a model's predictions: laboratory values, modalities, feature space and maps."""

from prrt_estimators.inspection._coefficients import block_contributions, coefficient_table
from prrt_estimators.inspection._embedding import (
    OutOfFoldFeatures,
    class_separation,
    out_of_fold_features,
    umap_embedding,
)
from prrt_estimators.inspection._groups import correlated_groups
from prrt_estimators.inspection._importance import (
    PermutationImportance,
    forest_importance,
    grouped_permutation_importance,
)
from prrt_estimators.inspection._native_grids import saliency_to_nifti
from prrt_estimators.inspection._regions import attribution_in_regions, summarise_regions
from prrt_estimators.inspection._saliency import SaliencyMaps, saliency
from prrt_estimators.inspection._sanity import (
    label_randomisation,
    map_similarity,
    randomise_weights,
    weight_randomisation,
)
from prrt_estimators.inspection._shap import shap_importance, shap_values
from prrt_estimators.inspection._shapley import modality_shapley

__all__ = [
    "OutOfFoldFeatures",
    "PermutationImportance",
    "SaliencyMaps",
    "attribution_in_regions",
    "block_contributions",
    "class_separation",
    "coefficient_table",
    "correlated_groups",
    "forest_importance",
    "grouped_permutation_importance",
    "label_randomisation",
    "map_similarity",
    "modality_shapley",
    "out_of_fold_features",
    "randomise_weights",
    "saliency",
    "saliency_to_nifti",
    "shap_importance",
    "shap_values",
    "summarise_regions",
    "umap_embedding",
    "weight_randomisation",
]
