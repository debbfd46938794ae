"""A paragraph of methods to copy, with its references."""

from __future__ import annotations

from typing import Any

import numpy as np

from prrt_estimators.model_selection._fold_correction import correction_for
from prrt_estimators.plotting import model_label

REFERENCES = {
    "baur": "Baur et al. Multimodal deep learning for prediction of progression-free survival in patients with neuroendocrine tumors "
    "undergoing 177Lu-based PRRT. 2025. doi:10.48550/arXiv.2511.05169",
    "nadeau": "Nadeau C, Bengio Y. Inference for the generalization error. Mach Learn 2003. doi:10.1023/A:1024068626366",
    "holm": "Holm S. A simple sequentially rejective multiple test procedure. Scand J Stat 1979;6:65-70.",
    "calibration": "Van Calster B et al. Calibration: the Achilles heel of predictive analytics. BMC Med 2019. "
    "doi:10.1186/s12916-019-1466-7",
    "ici": "Austin PC, Steyerberg EW. The Integrated Calibration Index (ICI). Stat Med 2019. doi:10.1002/sim.8281",
    "vickers": "Vickers AJ, Elkin EB. Decision curve analysis. Med Decis Making 2006. doi:10.1177/0272989X06295361",
    "riley": "Riley RD et al. Calculating the sample size required for developing a clinical prediction model. BMJ 2020. "
    "doi:10.1136/bmj.m441",
    "schemper": "Schemper M, Smith TL. A note on quantifying follow-up in studies of failure time. Control Clin Trials 1996. "
    "doi:10.1016/0197-2456(96)00075-X",
    "tripod": "Collins GS et al. TRIPOD+AI statement. BMJ 2024. doi:10.1136/bmj-2023-078378",
    "claim": "Tejani AS et al. Checklist for Artificial Intelligence in Medical Imaging (CLAIM): 2024 update. Radiol Artif Intell "
    "2024. doi:10.1148/ryai.240300",
    "sklearn": "Pedregosa F et al. Scikit-learn: machine learning in Python. J Mach Learn Res 2011;12:2825-2830.",
}


def methods(comparison: Any, horizon: float, reference: str, followup: Any = None) -> tuple[str, list[str]]:
    """Return the paragraph, its references numbered in the order of mention, and these references.

    Parameters
    ----------
    comparison : ModelComparison
    horizon : float
        Months that divide short from long PFS.
    reference : str
        Model that the others were tested against; "" for none.
    followup : FollowUp, default=None
        From `reverse_kaplan_meier`.
    """
    run = comparison.run
    numbers: dict[str, int] = {}

    def cite(*names: str) -> str:
        for name in names:
            numbers.setdefault(name, len(numbers) + 1)
        return "[" + ", ".join(str(numbers[name]) for name in names) + "]"

    repeats, splits = run["cv"]["n_repeats"], run["cv"]["n_splits"]
    folds = max(splits // repeats, 1)
    sizes, data = comparison.sizes_of_folds(), run["data"]
    ran = [
        model_label(str(name))
        for name, status in zip(*comparison.status[["model", "status"]].T.to_numpy(), strict=True)
        if status == "ok"
    ]
    texts = [
        f"Patients were classified as long (more than {horizon:g} months) or short progression-free survival (PFS) "
        f"({data['n_long']} and {data['n_short']} of {data['n_patients']} patients). "
        + (
            "Patients censored before the horizon were made up for by inverse-probability-of-censoring weights. "
            if data["weighted"]
            else ""
            if followup is not None and followup.n == data["n_patients"]
            else "Patients censored before the horizon were left out. "
        ),
        f"Models ({'; '.join(ran)}) were trained and tested on the same divisions of the patients, {folds}-fold cross-validation "
        f"stratified by class with {repeats} {'repeat' if repeats == 1 else 'repeats'}, as in {cite('baur')}. Imputation, scaling and every "
        "other step that learns from data were fitted inside the training folds. Probabilities of models that were trained with "
        "class weights were corrected for them. ",
        "Discrimination was measured by the area under the receiver operating characteristic (AUROC) and the precision-recall curve, accuracy by "
        "the Brier score, each as the mean over test folds. 95 % intervals and tests are those of the corrected resampled t statistic "
        f"{cite('nadeau')} with n(test)/n(train) multiplied by a factor from a simulation, at most {correction_for(**sizes):g} and smaller where repeats agreed; p values were adjusted by Holm's method "
        f"{cite('holm')}. ",
    ]
    by_time = [model_label(str(name)) for name, entry in run["models"].items() if entry.get("learnt_from") == "time"]
    if by_time:
        texts.append(
            f"{', '.join(by_time)} learnt from times to progression, censored ones too, and predicted the probability of long PFS. "
        )
    if comparison.primary is not None:
        one, other = (model_label(name) for name in comparison.primary)
        late = run["primary"].get("named") == "after"
        texts.append(
            f"The primary comparison, {one} against {other}, was named {'after folds had been finished' if late else 'before the run'} and tested alone. "
        )
    elif reference:
        texts.append(f"Every model was compared with {model_label(reference)}; no comparison was named as primary. ")
    texts.append(
        f"Calibration was described by intercept, slope {cite('calibration')}, integrated calibration index {cite('ici')} and scaled Brier score, clinical utility "
        f"by decision curves {cite('vickers')}. Thresholds and cut points of risk groups were chosen for each test fold on the other folds of the "
        f"repeat. The sample size was compared with Riley's criteria {cite('riley')}. "
    )
    if followup is not None and followup.n_events < followup.n:
        median = "not reached" if not np.isfinite(followup.median) else f"{followup.median:.1f} months"
        texts.append(f"Median follow-up was {median} by the reverse Kaplan-Meier method {cite('schemper')}. ")
    versions = run["versions"]
    named = ", ".join(
        f"{name} {versions[name]}" for name in ("prrt-estimators", "scikit-learn", "torch") if name in versions
    )
    texts.append(
        f"Analyses were done with {named} {cite('sklearn')}, seed {run['random_state']}. Reporting follows TRIPOD+AI {cite('tripod')} and CLAIM {cite('claim')}."
    )
    return "".join(texts), [REFERENCES[name] for name in numbers]
