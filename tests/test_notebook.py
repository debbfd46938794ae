"""A notebook as an engineer writes it: MONAI's list of dicts, searches, tracking, figures, a saved model."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

#: The kernel imports everything anew.
pytestmark = pytest.mark.timeout(900)

CELLS = [
    """
import nibabel as nib
import numpy as np
from prrt_estimators import Cohort, LabPFSClassifier, PETPFSClassifier, make_prrt_cohort

made = make_prrt_cohort(18, volume_shape=(12, 10, 12), signal=3, random_state=0)
records = []
for row, patient in enumerate(made.X.ids):
    nib.save(nib.Nifti1Image(made.X["pet"].array[row, 0], np.diag([11.0, 11, 11, 1])), f"{patient}.nii.gz")
    labs = {name: float(value) for name, value in made.X["lab"].iloc[row].items() if isinstance(value, float)}
    records.append({"id": patient, "pet": f"{patient}.nii.gz", "label": int(made.y[row]), **labs})
X, y = Cohort.from_records(records, return_X_y=True)
X
""",
    """
clf = PETPFSClassifier(size=8, spacing=12, max_epochs=1, random_state=0, cache_dir="cache").fit(X, y)
clf.predict_proba(X[:3]).shape
""",
    """
from sklearn.model_selection import GridSearchCV, StratifiedKFold
cv = StratifiedKFold(2, shuffle=True, random_state=0)
search = GridSearchCV(clf, {"lr": [1e-3, 1e-2]}, scoring="roc_auc", cv=cv).fit(X, y)
sorted(search.best_params_)
""",
    """
import optuna
from sklearn.model_selection import cross_val_score
optuna.logging.set_verbosity(optuna.logging.ERROR)

def objective(trial):
    model = LabPFSClassifier(model="logistic", C=trial.suggest_float("C", 1e-2, 1e2, log=True))
    return cross_val_score(model, X, y, cv=cv, scoring="roc_auc").mean()

study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
study.optimize(objective, n_trials=2)
len(study.trials)
""",
    """
from prrt_estimators import compare_models
models = {"lab": LabPFSClassifier(model="logistic"), "pet": search.best_estimator_}
comparison = compare_models(models, X, y, cv=cv, verbose=0)
comparison
""",
    """
import os
os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
import mlflow
from prrt_estimators.model_selection import log_to_mlflow
parent = log_to_mlflow(comparison, tracking_uri="sqlite:///runs.db")
mlflow.set_tracking_uri("sqlite:///runs.db")
children = mlflow.search_runs(search_all_experiments=True)
len(children) > 2
""",
    """
from prrt_estimators.plotting import CalibrationDisplay
CalibrationDisplay.from_predictions(y, search.predict_proba(X)[:, 1])
""",
    """
import matplotlib.pyplot as plt
figure, ax = plt.subplots()
_ = ax.plot(y)
""",
    """
from prrt_estimators import load_model, save_model
save_model(search.best_estimator_, "pet.prrt", X=X, y=y)
assert np.array_equal(load_model("pet.prrt").predict_proba(X), search.predict_proba(X))
""",
]
#: What a cell needs beside the package.
NEEDS = {"import optuna": "optuna", "import mlflow": "mlflow"}


def test_the_walk_runs_as_a_notebook(tmp_path, monkeypatch):
    monkeypatch.delenv("MPLBACKEND", raising=False)  # a command that ran in this process sets it for itself
    cells = [
        nbformat.v4.new_code_cell(code.strip())
        for code in CELLS
        if all(find_spec(package) for word, package in NEEDS.items() if word in code)
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = {cell.source.split("\n")[-1]: cell.outputs for cell in cells}
    assert "text/html" in shown["X"][-1]["data"]
    display = next(outputs for source, outputs in shown.items() if source.startswith("CalibrationDisplay"))
    assert "image/png" in display[-1]["data"]
    # A figure of the reader's own is shown as well, after a Display was the first to draw.
    assert "image/png" in shown["_ = ax.plot(y)"][-1]["data"]
    red = [output["text"] for outputs in shown.values() for output in outputs if output.get("name") == "stderr"]
    assert [text for text in red if "mlflow" not in text.lower() and "alembic" not in text.lower()] == []
    if "len(children) > 2" in shown:
        assert shown["len(children) > 2"][-1]["data"]["text/plain"] == "True"
    longest = max(
        len(str(output)) for outputs in shown.values() for output in outputs if "image/png" not in str(output)
    )
    assert longest < 20_000
