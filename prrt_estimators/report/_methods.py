"""A paragraph of methods to copy, with its references."""

from __future__ import annotations

from typing import Any

import numpy as np

from prrt_estimators._survival import has_causes
from prrt_estimators.model_selection._fold_correction import correction_for
from prrt_estimators.plotting import model_label

#: In the order of mention they are numbered.
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
    "uno": "Uno H et al. On the C-statistics for evaluating overall adequacy of risk prediction procedures with censored survival data. "
    "Stat Med 2011. doi:10.1002/sim.4154",
    "harrell": "Harrell FE et al. Multivariable prognostic models. Stat Med 1996. "
    "doi:10.1002/(SICI)1097-0258(19960229)15:4<361::AID-SIM168>3.0.CO;2-4",
    "auc_over_time": "Uno H et al. Evaluating prediction rules for t-year survivors with censored regression models. J Am Stat Assoc "
    "2007. doi:10.1198/016214507000000149",
    "graf": "Graf E et al. Assessment and comparison of prognostic classification schemes for survival data. Stat Med 1999. "
    "doi:10.1002/(SICI)1097-0258(19990915/30)18:17/18<2529::AID-SIM274>3.0.CO;2-5",
    "haider": "Haider H et al. Effective ways to build and evaluate individual survival distributions. J Mach Learn Res 2020;21(85):1-63.",
    "sklearn": "Pedregosa F et al. Scikit-learn: machine learning in Python. J Mach Learn Res 2011;12:2825-2830.",
}


class Citations:
    """Numbers of references in the order of mention."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def __call__(self, *names: str) -> str:
        for name in names:
            self._numbers.setdefault(name, len(self._numbers) + 1)
        return "[" + ", ".join(str(self._numbers[name]) for name in names) + "]"

    def listed(self) -> list[str]:
        """Return the references mentioned."""
        return [REFERENCES[name] for name in self._numbers]


def methods(
    comparison: Any, horizon: float, reference: str, followup: Any = None, everybody: Any = None
) -> tuple[str, list[str]]:
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
    everybody : structured array with ``event`` and ``time``, default=None
        Of whom; with causes, the paragraph states what becomes of deaths without progression.
    """
    run, cite = comparison.run, Citations()
    data = run["data"]
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
        *of_deaths(comparison, everybody),
        divisions(comparison, "class", cite),
        "Probabilities of models that were trained with class weights were corrected for them. ",
        "Discrimination was measured by the area under the receiver operating characteristic (AUROC) and the precision-recall curve, accuracy by "
        "the Brier score, each as the mean over test folds. ",
        intervals(comparison, cite),
    ]
    by_time = [model_label(str(name)) for name, entry in run["models"].items() if entry.get("learnt_from") == "time"]
    if by_time:
        texts.append(
            f"{', '.join(by_time)} learnt from times to progression, censored ones too, and predicted the probability of long PFS. "
        )
    texts += [
        primary(comparison, reference),
        f"Calibration was described by intercept, slope {cite('calibration')}, integrated calibration index {cite('ici')} and scaled Brier score, clinical utility "
        f"by decision curves {cite('vickers')}. Thresholds and cut points of risk groups were chosen for each test fold on the other folds of the "
        f"repeat. The sample size was compared with Riley's criteria {cite('riley')}. ",
        follow_up(followup, cite),
        software(comparison, cite),
    ]
    return "".join(texts), cite.listed()


def of_deaths(comparison: Any, everybody: Any) -> list[str]:
    """Return what becomes of patients who died without progression, where they are known."""
    known = everybody is not None and has_causes(everybody)
    return [f"{text} " for text in comparison.kind.with_causes(comparison.survival, everybody)] if known else []


def divisions(comparison: Any, by: str, cite: Citations) -> str:
    """Return how the models that ran were trained and tested."""
    cv = comparison.run["cv"]
    repeats, folds = cv["n_repeats"], max(cv["n_splits"] // cv["n_repeats"], 1)
    ran = [
        model_label(str(name))
        for name, status in zip(*comparison.status[["model", "status"]].T.to_numpy(), strict=True)
        if status == "ok"
    ]
    return (
        f"Models ({'; '.join(ran)}) were trained and tested on the same divisions of the patients, {folds}-fold cross-validation "
        f"stratified by {by} with {repeats} {'repeat' if repeats == 1 else 'repeats'}, as in {cite('baur')}. Imputation, scaling and every "
        "other step that learns from data were fitted inside the training folds. "
    )


def intervals(comparison: Any, cite: Citations) -> str:
    """Return what intervals and tests are."""
    at_most = correction_for(**comparison.sizes_of_folds())
    return (
        f"95 % intervals and tests are those of the corrected resampled t statistic {cite('nadeau')} with n(test)/n(train) multiplied by a "
        f"factor from a simulation, at most {at_most:g} and smaller where repeats agreed; p values were adjusted by Holm's method "
        f"{cite('holm')}. "
    )


def primary(comparison: Any, reference: str) -> str:
    """Return which comparison was named before the run, or what the models were compared with."""
    if comparison.primary is not None:
        one, other = (model_label(name) for name in comparison.primary)
        late = comparison.run["primary"].get("named") == "after"
        return f"The primary comparison, {one} against {other}, was named {'after folds had been finished' if late else 'before the run'} and tested alone. "
    if not reference:
        return ""
    return f"Every model was compared with {model_label(reference)}; no comparison was named as primary. "


def follow_up(found: Any, cite: Citations) -> str:
    """Return the median follow-up; "" where nobody was censored or it is not known."""
    if found is None or found.n_events == found.n:
        return ""
    median = "not reached" if not np.isfinite(found.median) else f"{found.median:.1f} months"
    return f"Median follow-up was {median} by the reverse Kaplan-Meier method {cite('schemper')}. "


def software(comparison: Any, cite: Citations) -> str:
    """Return versions, seed and guidelines."""
    versions = comparison.run["versions"]
    named = ", ".join(
        f"{name} {versions[name]}" for name in ("prrt-estimators", "scikit-learn", "torch") if name in versions
    )
    return f"Analyses were done with {named} {cite('sklearn')}, seed {comparison.run['random_state']}. Reporting follows TRIPOD+AI {cite('tripod')} and CLAIM {cite('claim')}."
