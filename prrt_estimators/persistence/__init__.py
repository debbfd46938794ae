"""Fitted models in one file that holds data only: JSON, safetensors and skops, a model card, and digests of all."""

from prrt_estimators.persistence._load import load_model, read_model_card
from prrt_estimators.persistence._save import save_model
from prrt_estimators.persistence._training_record import compare_with_training

__all__ = ["compare_with_training", "load_model", "read_model_card", "save_model"]
