"""Figures of a comparison as scikit-learn Displays: numbers first, then the drawing."""

from prrt_estimators.plotting._calibration import CalibrationDisplay
from prrt_estimators.plotting._coefficients import CoefficientDisplay
from prrt_estimators.plotting._cumulative_incidence import CumulativeIncidenceDisplay
from prrt_estimators.plotting._curves import PrecisionRecallDisplay, RocDisplay
from prrt_estimators.plotting._decision_curve import DecisionCurveDisplay
from prrt_estimators.plotting._embedding import EmbeddingDisplay
from prrt_estimators.plotting._forest_plot import ForestPlotDisplay
from prrt_estimators.plotting._importance import ImportanceDisplay
from prrt_estimators.plotting._kaplan_meier import KaplanMeierDisplay
from prrt_estimators.plotting._mean_curves import MeanPrecisionRecallDisplay, MeanRocDisplay
from prrt_estimators.plotting._modality import ModalityShapleyDisplay
from prrt_estimators.plotting._model_comparison import ModelComparisonDisplay
from prrt_estimators.plotting._representative_fold import representative_fold
from prrt_estimators.plotting._saliency import SaliencyDisplay
from prrt_estimators.plotting._style import OKABE_ITO, model_label, save_figure, style_context
from prrt_estimators.plotting._survival_displays import (
    SurvivalCalibrationDisplay,
    SurvivalCurvesDisplay,
    TimeAUCDisplay,
)

__all__ = [
    "OKABE_ITO",
    "CalibrationDisplay",
    "CoefficientDisplay",
    "CumulativeIncidenceDisplay",
    "DecisionCurveDisplay",
    "EmbeddingDisplay",
    "ForestPlotDisplay",
    "ImportanceDisplay",
    "KaplanMeierDisplay",
    "MeanPrecisionRecallDisplay",
    "MeanRocDisplay",
    "ModalityShapleyDisplay",
    "ModelComparisonDisplay",
    "PrecisionRecallDisplay",
    "RocDisplay",
    "SaliencyDisplay",
    "SurvivalCalibrationDisplay",
    "SurvivalCurvesDisplay",
    "TimeAUCDisplay",
    "model_label",
    "representative_fold",
    "save_figure",
    "style_context",
]
