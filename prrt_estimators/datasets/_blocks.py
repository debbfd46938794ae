"""Which columns are blocks of numbers, apart from laboratory values: radiomics, or what the user names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from prrt_estimators.datasets._image_numbers import RADIOMICS
from prrt_estimators.datasets._options import AUTO, Options, as_names
from prrt_estimators.exceptions import Problem

if TYPE_CHECKING:
    from prrt_estimators.datasets._roles import Roles

_LEAK = "is known only after therapy and would leak the outcome"


def choose_blocks(
    options: Options, guesses: Mapping[str, Any], roles: Roles, existing: Callable[..., str | None]
) -> None:
    """Decide which columns are which block.

    Where a table has neither scans nor other predictors, image numbers that were found by name are its predictors.

    Parameters
    ----------
    options : Options
    guesses : mapping of str to Guess
    roles : Roles
        Changed in place.
    existing : callable
        Notes a problem where a table lacks a column.
    """
    if options.blocks == AUTO:
        found = [name for name, (role, _) in roles.log.items() if role == RADIOMICS and name not in roles.lab]
        alone = not roles.scans and not roles.lab and options.lab is not None and AUTO in as_names(options.lab)
        if found and alone:
            roles.lab += found
            roles.log |= dict.fromkeys(
                found, ("lab", "a number measured in an image; the table has no other predictor")
            )
        elif found:
            roles.blocks = {RADIOMICS: found}
        return
    named: dict[str, list[str]] = {}
    for block, columns in options.blocks.items() if isinstance(options.blocks, Mapping) else ():
        named[block] = [name for name in columns if existing(name, "blocks", guesses, roles)]
    for name, (role, reason) in list(roles.log.items()):
        taken = next((one for one, columns in named.items() if name in columns), None)
        if taken is None:
            if role == RADIOMICS:
                roles.log[name] = ("unused", f"{reason}; not named in blocks=")
        elif role in ("after_therapy", "time", "event", "target") and name not in options.allowed:
            remedy = (
                f"leave it out of blocks=; only if it was known before therapy, pass allow_after_therapy=[{name!r}]"
            )
            roles.leaks.append(Problem(_LEAK, remedy, column=name))
        elif role not in ("lab", "unrecognised", "unused", "after_therapy", "empty", RADIOMICS):
            roles.problems.append(
                Problem(f"is taken as {role}, not as a number", "leave it out of blocks=", column=name)
            )
        else:
            roles.log[name] = (RADIOMICS, f"named by blocks= ({taken})")
            roles.lab = [one for one in roles.lab if one != name]
    roles.blocks = {block: columns for block, columns in named.items() if columns}
