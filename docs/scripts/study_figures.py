"""Bring the figures of comparisons into docs/images/figures, for the page that shows them (docs/figures.md).

Run from the root of the repository, after the commands which that page tells::

    python docs/scripts/study_figures.py synthetic=results/synthetic sarcoma=results/sarcoma
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

TARGET = Path(__file__).resolve().parents[1] / "images" / "figures"
#: Name on the page, and where `prrt compare --explain` puts it; of several files the first by name.
KINDS = {
    "cohort": "figures/kaplan_meier_cohort.png",
    "scores": "figures/auroc_auprc.png",
    "roc": "figures/roc.png",
    "precision_recall": "figures/precision_recall.png",
    "predicted": "figures/kaplan_meier_*.png",
    "importance": "explain/forest_importance.png",
    "shap": "explain/shap.png",
    "modalities": "explain/modalities.png",
    "map": "explain/maps/*.png",
    "embedding": "explain/embedding_class.png",
}
COHORT = "kaplan_meier_cohort"
WIDEST = 1400
COLOURS = 200


def bring(name: str, results: Path) -> list[Path]:
    """Copy one comparison's figures, no wider than a page needs.

    Raises
    ------
    FileNotFoundError
        If the comparison has no such figure: it was run without ``--explain``, or has not ended.
    """
    TARGET.mkdir(parents=True, exist_ok=True)
    written = []
    for kind, pattern in KINDS.items():
        found = [path for path in sorted(results.glob(pattern)) if kind == "cohort" or path.stem != COHORT]
        if not found:
            raise FileNotFoundError(f"{results} has no {pattern}; run prrt compare --explain to its end.")
        with Image.open(found[0]) as image:
            small = image.convert("RGB")
        if small.width > WIDEST:
            small = small.resize((WIDEST, round(small.height * WIDEST / small.width)), Image.Resampling.LANCZOS)
        written.append(TARGET / f"{name}_{kind}.png")
        small.quantize(COLOURS, dither=Image.Dither.NONE).save(written[-1], optimize=True)
    return written


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", nargs="+", metavar="NAME=FOLDER", help="what the page calls it, and where it lies")
    for one in parser.parse_args().results:
        name, _, folder = one.partition("=")
        for path in bring(name, Path(folder)):
            print(f"{path.name}: {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
