"""Body measures by which scanners normalise uptake: lean body mass, ideal body weight, body surface area."""

from __future__ import annotations

from collections.abc import Callable


def lean_mass_james(weight_kg: float, height_m: float, sex: str) -> float:
    """Return lean body mass in kg by James' formula with the constant 128 for men.

    .. math:: m = 1.10\\,W - 128\\,(W/H)^2, \\qquad f = 1.07\\,W - 148\\,(W/H)^2

    with weight W in kg and height H in cm (James, Research on Obesity, HMSO 1976; doi:10.2967/jnumed.113.136986).

    Parameters
    ----------
    weight_kg, height_m : float
    sex : {"M", "F", "O"}
        "O" is the mean of both.

    Returns
    -------
    float

    Examples
    --------
    >>> round(lean_mass_james(70, 1.75, "M"), 2)
    56.52
    """
    ratio = (weight_kg / (100 * height_m)) ** 2
    return _by_sex(sex, lambda: 1.10 * weight_kg - 128 * ratio, lambda: 1.07 * weight_kg - 148 * ratio)


def lean_mass_morgan(weight_kg: float, height_m: float, sex: str) -> float:
    """Return lean body mass in kg as the SUV type ``LBM`` without a method means it: James' formula with 120 for men.

    The constant is a misprint that became a habit (Morgan & Bray 1994); DICOM keeps ``LBM`` for images made with it.
    """
    ratio = (weight_kg / (100 * height_m)) ** 2
    return _by_sex(sex, lambda: 1.10 * weight_kg - 120 * ratio, lambda: 1.07 * weight_kg - 148 * ratio)


def lean_mass_janmahasatian(weight_kg: float, height_m: float, sex: str) -> float:
    """Return lean body mass in kg by Janmahasatian's formula.

    .. math:: m = \\frac{9270\\,W}{6680 + 216\\,B}, \\qquad f = \\frac{9270\\,W}{8780 + 244\\,B}

    with weight W in kg and body mass index B in kg/m2 (doi:10.2165/00003088-200544100-00004).

    Examples
    --------
    >>> round(lean_mass_janmahasatian(70, 1.75, "F"), 2)
    45.2
    """
    index = weight_kg / height_m**2
    return _by_sex(
        sex, lambda: 9270 * weight_kg / (6680 + 216 * index), lambda: 9270 * weight_kg / (8780 + 244 * index)
    )


def ideal_weight(height_m: float, sex: str) -> float:
    """Return ideal body weight in kg by Sugawara's formula.

    .. math:: m = 48.0 + 1.06\\,(H - 152), \\qquad f = 45.5 + 0.91\\,(H - 152)

    with height H in cm (doi:10.1148/radiology.213.2.r99nv37521).

    Examples
    --------
    >>> ideal_weight(1.75, "M"), ideal_weight(1.75, "O")
    (72.38, 69.405)
    """
    above = 100 * height_m - 152
    return _by_sex(sex, lambda: 48.0 + 1.06 * above, lambda: 45.5 + 0.91 * above)


def surface_area(weight_kg: float, height_m: float) -> float:
    """Return body surface area in m2 by Du Bois' formula.

    .. math:: 0.007184\\,W^{0.425}\\,H^{0.725}

    with weight W in kg and height H in cm (doi:10.1001/archinte.1916.00080130010002).

    Examples
    --------
    >>> round(surface_area(70, 1.75), 4)
    1.8481
    """
    return 0.007184 * weight_kg**0.425 * (100 * height_m) ** 0.725


def _by_sex(sex: str, male: Callable[[], float], female: Callable[[], float]) -> float:
    if sex == "M":
        return male()
    if sex == "F":
        return female()
    # Where the sex is given as other, the manual of the reference objects takes the mean of both.
    return (male() + female()) / 2
