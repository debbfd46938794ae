"""Predict progression-free survival before 177Lu PRRT from labs, PET and CT with scikit-learn estimators."""
