"""Items of TRIPOD+AI and CLAIM 2024: where the page answers each, or why it is for the author."""

from __future__ import annotations

from dataclasses import dataclass

AUTHOR = "for the author"


@dataclass(frozen=True)
class Item:
    """One item of a reporting guideline.

    Parameters
    ----------
    number : str
        As in the guideline.
    what : str
        What it asks for, in short.
    anchor : str, default=""
        Section of the page that answers it; "" leaves it for the author.
    note : str, default=""
        What the section holds, or what the author has to say.
    """

    number: str
    what: str
    anchor: str = ""
    note: str = ""


#: Collins et al., BMJ 2024, doi:10.1136/bmj-2023-078378.
TRIPOD_AI = (
    Item(
        "1",
        "Title",
        note="name the study as developing or evaluating a prediction model, the population and the outcome",
    ),
    Item("2", "Abstract", note="see TRIPOD+AI for Abstracts"),
    Item("3a", "Healthcare context and rationale", note="the background is not in the data"),
    Item(
        "3b",
        "Target population and intended purpose in the care pathway",
        note="who would use the prediction, before which decision",
    ),
    Item("3c", "Known health inequalities between groups", note="e.g. by sex, age or access to therapy"),
    Item("4", "Objectives", "question", "the question; add whether models are developed, evaluated or both"),
    Item("5a", "Sources of data and why they represent the population", note="centre, registry or trial"),
    Item("5b", "Dates of collection", note="dates never enter the cohort; give the first and last therapy"),
    Item("6a", "Setting and number of centres", note="centres that were named are under subgroups"),
    Item("6b", "Eligibility criteria", "patients", "who was left out and why; add the clinical criteria"),
    Item("6c", "Treatments received", note="cycles and activity of 177Lu"),
    Item(
        "7",
        "Data preparation and quality checks",
        "columns",
        "how each column was interpreted; preprocessing is in the methods",
    ),
    Item(
        "8a",
        "Outcome, time horizon and how it was assessed",
        "question",
        "horizon; add the criteria of progression, e.g. RECIST 1.1",
    ),
    Item(
        "8b",
        "Qualifications of outcome assessors where assessment is subjective",
        note="who read the follow-up, and how experienced they were",
    ),
    Item("8c", "Blinding of outcome assessment", note="whether they knew laboratory values and scans"),
    Item("9a", "Choice of initial predictors", "columns", "columns that entered and that were left out"),
    Item(
        "9b",
        "Definition and time of measurement of predictors",
        "columns",
        "names and units; add when they were measured",
    ),
    Item(
        "9c",
        "Qualifications of assessors of subjective predictors",
        note="e.g. of who drew lesions; how many were corrected by hand is under patients",
    ),
    Item("10", "Study size and its justification", "size", "Riley's criteria and events per parameter"),
    Item("11", "Missing data", "inputs", "by class; imputed inside the training folds"),
    Item("12a", "Use of data for training and evaluation", "methods", "cross-validation"),
    Item("12b", "How predictors enter: functional form, rescaling", "methods"),
    Item(
        "12c",
        "Type of model, building steps, hyperparameters, internal validation",
        "models",
        "parameters of every model",
    ),
    Item("12d", "Heterogeneity between clusters", "subgroups", "by centre where centres were named"),
    Item("12e", "Measures of performance and plots", "results", "discrimination, calibration and clinical utility"),
    Item("12f", "Model updating", "calibration", "none; prrt evaluate shows, apart, what recalibration would reach"),
    Item("12g", "How predictions were calculated in evaluation", "methods", "out of fold"),
    Item("13", "Class imbalance", "methods", "class weights, and the correction of probabilities for them"),
    Item("14", "Approaches to fairness", "subgroups", "scores of subgroups; add which groups matter and why"),
    Item(
        "15",
        "Output of the model and thresholds",
        "decision",
        "probability of long PFS; thresholds from the other folds",
    ),
    Item("16", "Differences between training and evaluation data", "limits", "one cohort; no external data"),
    Item("17", "Ethical approval", note="committee and number of the approval, consent"),
    Item("18a", "Funding", note="sources and their role"),
    Item("18b", "Conflicts of interest", note="of all authors"),
    Item("18c", "Protocol", note="where it can be read, or that there was none"),
    Item("18d", "Registration", note="register and number, or that there was none"),
    Item("18e", "Data sharing", note="whether and how others get the cohort"),
    Item("18f", "Code sharing", "methods", "software and versions; add where the command is kept"),
    Item("19", "Patient and public involvement", note="in design, conduct or reporting, or that there was none"),
    Item("20a", "Flow of participants", "patients"),
    Item("20b", "Characteristics of participants", "table1"),
    Item("20c", "Comparison of development and evaluation data", "limits", "none: internal validation"),
    Item("21", "Numbers of participants and events in each analysis", "patients"),
    Item("22", "Full model for new individuals", note="prrt fit saves the model; give the file or a link"),
    Item("23a", "Performance with intervals, in subgroups too", "results"),
    Item("23b", "Heterogeneity in performance between clusters", "subgroups"),
    Item("24", "Results of model updating", "calibration", "none"),
    Item("25", "Interpretation", "answer", "what the numbers show; the discussion is the author's"),
    Item("26", "Limitations", "limits", "those of the method; add those of the study"),
    Item(
        "27a",
        "Input data of poor quality or not available in use",
        "methods",
        "patients without a modality are predicted",
    ),
    Item(
        "27b",
        "Interaction of users with the model",
        note="who enters the values and draws or checks lesions, and what they have to know",
    ),
    Item("27c", "Next steps for research", note="external evaluation: prrt evaluate"),
)

#: Tejani et al., Radiology: Artificial Intelligence 2024, doi:10.1148/ryai.240300.
CLAIM = (
    Item("1", "Title names the artificial intelligence and the category of technology", note="e.g. deep learning"),
    Item("2", "Abstract", note="structured: design, methods, results, conclusions"),
    Item("3", "Background", note="the background is not in the data"),
    Item("4", "Aims, objectives and hypotheses", "question"),
    Item("5", "Prospective or retrospective", note="the table does not say how patients were collected"),
    Item("6", "Goal of the study", "question"),
    Item("7", "Data sources", note="centre, registry or trial, and dates"),
    Item("8", "Inclusion and exclusion criteria", "patients"),
    Item("9", "Preprocessing of data", "methods"),
    Item("10", "Selection of subsets of data", "methods", "boxes and windows are parameters of the models"),
    Item("11", "De-identification", note="prrt ingest makes pseudonyms; no identifier enters a model"),
    Item("12", "Missing data", "inputs"),
    Item("13", "Image acquisition protocol", "inputs", "grids of the scans; add scanner, tracer and protocol"),
    Item(
        "14",
        "How the reference standard was obtained",
        "question",
        "class from time and event; add how progression was assessed",
    ),
    Item("15", "Rationale for the reference standard", note="why progression at this horizon"),
    Item(
        "16",
        "Source of annotations of the reference standard",
        note="who read the follow-up, and how experienced they were",
    ),
    Item("17", "Annotation of the test set", note="whether the readers knew laboratory values and scans"),
    Item(
        "18",
        "Variability of measurement between and within raters",
        note="between readers of the follow-up, and of lesions",
    ),
    Item("19", "Assignment of data to partitions", "methods"),
    Item("20", "Level at which partitions are disjoint", "methods", "patient, or person where rows were grouped"),
    Item("21", "Sample size", "size"),
    Item("22", "Model in detail", "models"),
    Item("23", "Software and versions", "run"),
    Item("24", "Initialisation of parameters", "methods"),
    Item("25", "Training", "models"),
    Item("26", "Selection of the final model", "answer", "no model is selected for use here"),
    Item("27", "Ensembling", "methods"),
    Item("28", "Metrics of performance", "results"),
    Item("29", "Significance and uncertainty", "methods"),
    Item("30", "Robustness and sensitivity", "censoring"),
    Item("31", "Explainability", "explanations", "prrt compare --explain"),
    Item("32", "Evaluation on internal data", "results"),
    Item("33", "Testing on external data", "limits", "none; prrt evaluate"),
    Item("34", "Registration of a clinical trial", note="register and number, or that there was none"),
    Item("35", "Numbers of patients and of those left out", "patients"),
    Item("36", "Demographic and clinical characteristics", "table1"),
    Item("37", "Performance on all partitions", "results", "test folds; training scores are not informative"),
    Item("38", "Estimates of performance with their precision", "results"),
    Item("39", "Analysis of failures", "failures"),
    Item("40", "Limitations", "limits"),
    Item("41", "Implications for practice", note="research software: not for decisions about patients"),
    Item("42", "Full protocol", note="where it can be read"),
    Item(
        "43",
        "Availability of software, model and data",
        note="prrt fit saves the model; give links, or say why there are none",
    ),
    Item("44", "Funding and role of funders", note="sources and their role"),
)


#: Items that read otherwise where times to progression are learnt.
TRIPOD_AI_OF_TIMES = (
    Item("10", "Study size and its justification", note="Riley's criteria for times are not computed here"),
    Item("11", "Missing data", "methods", "imputed inside the training folds; add how many values are missing"),
    Item("12e", "Measures of performance and plots", "results", "discrimination, accuracy and calibration"),
    Item("13", "Class imbalance", note="times have no classes; give numbers of events"),
    Item("14", "Approaches to fairness", note="scores of subgroups are not computed for times"),
    Item(
        "15",
        "Output of the model and thresholds",
        "methods",
        "a risk, and the probability of PFS beyond any time; no threshold is chosen",
    ),
    Item(
        "20b",
        "Characteristics of participants",
        note="Table 1 is by class: prrt compare without --target time makes it",
    ),
    Item("23a", "Performance with intervals, in subgroups too", "results", "subgroups are for the author"),
)

CLAIM_OF_TIMES = (
    Item("12", "Missing data", "methods", "imputed inside the training folds; add how many values are missing"),
    Item("13", "Image acquisition protocol", note="scanner, tracer and protocol"),
    Item(
        "14",
        "How the reference standard was obtained",
        "question",
        "time and event; add how progression was assessed",
    ),
    Item("21", "Sample size", note="Riley's criteria for times are not computed here"),
    Item("30", "Robustness and sensitivity", note="censored patients are learnt from; none is left out for it"),
    Item(
        "36",
        "Demographic and clinical characteristics",
        note="Table 1 is by class: prrt compare without --target time makes it",
    ),
    Item("39", "Analysis of failures", note="patients whose months differ most from the prediction are not listed"),
)


def with_others(items: tuple[Item, ...], others: tuple[Item, ...]) -> tuple[Item, ...]:
    """Return items, with those in `others` in place of the ones of the same number.

    Examples
    --------
    >>> [one.anchor for one in with_others(TRIPOD_AI, TRIPOD_AI_OF_TIMES) if one.number in ("9a", "11")]
    ['columns', 'methods']
    """
    by_number = {one.number: one for one in others}
    return tuple(by_number.get(one.number, one) for one in items)


def rows(items: tuple[Item, ...], sections: set[str]) -> list[dict[str, str]]:
    """Return items with an anchor only where the page has that section; the rest is for the author.

    Examples
    --------
    >>> [row["where"] for row in rows(TRIPOD_AI[:6:5], {"question"})]
    ['for the author', 'question']
    """
    found = []
    for item in items:
        there = item.anchor in sections
        where = item.anchor if there else AUTHOR
        note = item.note if there or not item.anchor else "not part of this run"
        found.append(
            {
                "number": item.number,
                "what": item.what,
                "where": where,
                "anchor": item.anchor if there else "",
                "note": note,
            }
        )
    return found
