"""Numbers of lesions and of the body from PET and CT."""

from prrt_estimators.features._body import BodyComposition
from prrt_estimators.features._lesion_features import LesionFeatures
from prrt_estimators.features._radiomics import RadiomicsFeatures

__all__ = ["BodyComposition", "LesionFeatures", "RadiomicsFeatures"]
