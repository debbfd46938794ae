"""Figures of a comparison as scikit-learn Displays: numbers first, drawing second, never a screen."""

from prrt_estimators.plotting._calibration import CalibrationDisplay
from prrt_estimators.plotting._curves import PrecisionRecallDisplay, RocDisplay
from prrt_estimators.plotting._kaplan_meier import KaplanMeierDisplay
from prrt_estimators.plotting._model_comparison import ModelComparisonDisplay
from prrt_estimators.plotting._representative_fold import representative_fold
from prrt_estimators.plotting._style import OKABE_ITO, model_label, save_figure, style_context

__all__ = [
    "OKABE_ITO",
    "CalibrationDisplay",
    "KaplanMeierDisplay",
    "ModelComparisonDisplay",
    "PrecisionRecallDisplay",
    "RocDisplay",
    "model_label",
    "representative_fold",
    "save_figure",
    "style_context",
]
