"""Draw docs/images/overview.png: what goes in, what happens, and what comes out, with the scans of a synthetic patient.

Run from the root of the repository::

    python docs/scripts/overview_figure.py
"""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Polygon
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from prrt_estimators import LabPFSClassifier
from prrt_estimators.datasets import make_prrt_cohort
from prrt_estimators.plotting import OKABE_ITO, KaplanMeierDisplay, style_context

TARGET = Path(__file__).resolve().parents[1] / "images" / "overview.png"
COLOURS = {"pet": OKABE_ITO["vermillion"], "ct": OKABE_ITO["blue"], "lab": OKABE_ITO["green"]}
ROWS = {"pet": 0.755, "ct": 0.44, "lab": 0.155}
TALL = 4.8
MIDDLE = 0.44 * TALL
DARK = "#0b3c5d"


def box(ax: Axes, x: float, y: float, width: float, height: float, text: str, colour: str, size: float = 10) -> None:
    """Draw a box with white words, its middle at (x, y)."""
    shape = FancyBboxPatch(
        (x - width / 2, y - height / 2), width, height, boxstyle="round,pad=0,rounding_size=0.12", fc=colour, ec="none"
    )
    ax.add_patch(shape)
    ax.text(x, y, text, ha="center", va="center", color="white", fontsize=size, linespacing=1.35)


def arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw an arrow."""
    ax.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=13, color="0.45", lw=1.4))


def cone(ax: Axes, x: float, y: float, colour: str) -> None:
    """Draw a 3D network as three blocks that shrink."""
    for k, (width, height) in enumerate(((0.16, 0.86), (0.2, 0.6), (0.26, 0.36))):
        left = x - 0.55 + 0.42 * k
        corners = [(0, -1), (0, 1), (1, 1), (1, -1)]
        points = [(left + a * width, y + b * height / 2) for a, b in corners]
        ax.add_patch(Polygon(points, fc=colour, ec="white", lw=1))
        top = [(left, y + height / 2), (left + 0.1, y + height / 2 + 0.1), (left + 0.1 + width, y + height / 2 + 0.1)]
        ax.add_patch(Polygon([*top, (left + width, y + height / 2)], fc=colour, ec="white", lw=1, alpha=0.6))


def draw(figure: Figure) -> None:
    """Draw everything."""
    scans = make_prrt_cohort(1, volume_shape=(110, 82, 150), random_state=3)
    pet, ct = (scans.X[name].array[0, 0] for name in ("pet", "ct"))
    spacing = scans.spacing[0]
    aspect = spacing[2] / spacing[0]

    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, 12), ylim=(0, TALL))
    ax.set_axis_off()
    heads = {
        0.95: "before the first cycle",
        4.2: "one branch per modality",
        6.55: "joined",
        9.9: "after cross-validation",
    }
    for x, text in heads.items():
        ax.text(x + 0.2, TALL - 0.22, text, ha="center", color="0.35", fontsize=10.5)

    mip = pet.max(axis=1)
    plane = round((-25 - scans.affines[0][1, 3]) / spacing[1])
    for image, bottom, style in (
        (mip, 0.605, {"cmap": "gray_r", "vmin": 0, "vmax": 18}),
        (ct[:, plane], 0.29, {"cmap": "gray", "vmin": -150, "vmax": 250}),
    ):
        inset = figure.add_axes((0.03, bottom, 0.1, 0.3))
        inset.imshow(image[::-1].T, origin="lower", aspect=aspect, interpolation="bilinear", **style)
        inset.set_axis_off()
    names = {"pet": "SR-PET\n(SUVbw)", "ct": "CT\n(HU)", "lab": "laboratory\nvalues"}
    for name, row in ROWS.items():
        ax.text(1.85, row * TALL, names[name], va="center", fontsize=10.5, color=COLOURS[name], weight="bold")
    _table(ax, scans.X["lab"].iloc[0])

    for name, row in ROWS.items():
        y = row * TALL
        arrow(ax, (2.95, y), (3.5, y))
        if name == "lab":
            box(ax, 4.35, y, 1.5, 0.8, "impute, log,\nscale", COLOURS[name])
        else:
            cone(ax, 4.25, y, COLOURS[name])
        arrow(ax, (5.2, y), (5.95, MIDDLE + 0.35 * (row - 0.44) / 0.3))
    ax.text(4.4, ROWS["pet"] * TALL - 0.72, "3D CNN", ha="center", fontsize=9, color="0.35")
    ax.text(4.4, ROWS["ct"] * TALL - 0.72, "3D CNN, pretrained if you like", ha="center", fontsize=9, color="0.35")
    box(ax, 6.75, MIDDLE, 1.5, 1.3, "concatenate,\nfully connected\nlayers", DARK)
    arrow(ax, (7.55, MIDDLE), (8.1, MIDDLE))
    ax.text(8.2, TALL - 0.75, "P(PFS > 12 months)", fontsize=10.5, weight="bold", color=DARK)
    _curves(figure)


def _table(ax: Axes, row: object) -> None:
    cells = [("CgA", "chromogranin_a_ug_l", "µg/L"), ("GGT", "ggt_u_l", "U/L"), ("albumin", "albumin_g_l", "g/L")]
    for k, (name, column, unit) in enumerate(cells):
        y = 1.04 - 0.3 * k
        value = row[column]  # type: ignore[index]
        ax.text(0.25, y, name, va="center", fontsize=8.5)
        ax.text(1.62, y, f"{float(value):.0f} {unit}", va="center", ha="right", fontsize=8.5)
        ax.plot([0.25, 1.62], [y - 0.15, y - 0.15], color="0.8", lw=0.7)


def _curves(figure: Figure) -> None:
    data = make_prrt_cohort(400, volumes=False, signal=3, random_state=0)
    cv = StratifiedKFold(3, shuffle=True, random_state=0)
    forest = LabPFSClassifier(random_state=0)
    p_long = cross_val_predict(forest, data.X, data.y, cv=cv, method="predict_proba")[:, 1]
    inset = figure.add_axes((0.725, 0.135, 0.265, 0.66))
    table = KaplanMeierDisplay.from_predictions(data.X.survival, p_long).frame()
    colours = {"short": OKABE_ITO["orange"], "long": OKABE_ITO["blue"]}
    for group, steps in table.groupby("group", sort=False):
        kind = "short" if "short" in str(group) else "long"
        inset.step(steps["time"], steps["survival"], where="post", color=colours[kind], lw=2, label=f"predicted {kind}")
    inset.axvline(12, color="0.6", lw=1, ls="--")
    inset.set(xlim=(0, 36), ylim=(0, 1.02), xlabel="months", ylabel="without progression", xticks=[0, 12, 24, 36])
    inset.legend(loc="upper right", fontsize=8.5)


def main() -> None:
    """Write the picture."""
    with style_context():
        figure = Figure(figsize=(12.0, TALL))
        draw(figure)
        figure.savefig(TARGET, dpi=130, metadata={"Software": None})


if __name__ == "__main__":
    main()
