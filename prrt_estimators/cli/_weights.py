"""``prrt weights``: published weights by name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prrt_estimators._modalities import CT, MODALITIES
from prrt_estimators._published_weights import WEIGHTS, check_weights_exist, weights_by_name
from prrt_estimators.cli._console import OK, print_table, reported, say
from prrt_estimators.cli._model_options import CacheDir

app = typer.Typer(help="List, fetch and verify published weights for --ct-weights.", no_args_is_help=True)
_Name = Annotated[str, typer.Argument(metavar="NAME", help="As `prrt weights list` shows it.", show_default=False)]


@app.command("list")
@reported
def list_weights(
    cache_dir: CacheDir = None,
    details: Annotated[bool, typer.Option("--details", help="Everything that is known of each.")] = False,
) -> None:
    """Show the weights that have a name, what they were trained on, their licence, and whether they are here."""
    import pandas as pd

    if details:
        for spec in WEIGHTS.values():
            origin = f"package {spec.package}" if spec.package else f"{spec.repository} at {spec.revision}"
            print(
                f"{spec.name}: {spec.title}\n  for {' and '.join(MODALITIES[one].title for one in spec.modalities)}; network {spec.encoder}"
            )
            print(f"  expects {spec.expects}\n  licence {spec.licence}; {spec.citation}")
            print(f"  about {spec.megabytes} MB from {origin}\n  SHA-256 {spec.digest}")
        return
    rows = [
        {
            "name": spec.name,
            "for": ", ".join(spec.modalities),
            "weights": spec.title,
            "licence": spec.licence,
            "state": _state(spec.name, cache_dir),
        }
        for spec in WEIGHTS.values()
    ]
    print_table(pd.DataFrame(rows), minor=("weights",))


@app.command("fetch")
@reported
def fetch(
    name: _Name,
    source: Annotated[
        Path | None,
        typer.Option("--from", help="A file that was fetched by other means.", show_default=False),
    ] = None,
    cache_dir: CacheDir = None,
) -> None:
    """Fetch weights, check their digest and keep them."""
    weights_by_name(name)  # before anything is imported that takes seconds

    from prrt_estimators.pretrained import add_weight_file, weight_file

    file = (
        weight_file(name, cache_dir=cache_dir) if source is None else add_weight_file(name, source, cache_dir=cache_dir)
    )
    say(f"{name} is here, its digest is right: {file}")


@app.command("verify")
@reported
def verify(
    what: Annotated[
        str, typer.Argument(metavar="NAME|FILE", help="Weights by name, or a state dict.", show_default=False)
    ],
    encoder: Annotated[str, typer.Option(help="Network of a file that does not tell its own.")] = "compact",
    cache_dir: CacheDir = None,
) -> int | None:
    """Check the digest of weights and that every key fits their network. Nothing is fetched."""
    check_weights_exist(what)

    from prrt_estimators.pretrained import find_weights, weight_file

    if what in WEIGHTS:
        weight_file(what, cache_dir=cache_dir, download=False)
    modality = WEIGHTS[what].modalities[-1] if what in WEIGHTS else CT.name
    source = find_weights(what, modality=modality, encoder=encoder, parameter="weights", cache_dir=cache_dir)
    network = source.load(source.size or (48, 48, 48))
    count = sum(values.numel() for values in network.parameters())
    print(
        f"{source.label}: every key fits {source.encoder} ({count / 1e6:.1f} million weights); SHA-256 {source.digest}"
    )
    if source.seen:
        print(f"pretrained on {len(source.seen)} scans, which are recognised by SHA-256")
    return OK


def _state(name: str, cache_dir: Path | None) -> str:
    """Say whether weights are here, and if not how to get them."""
    from prrt_estimators.exceptions import MissingDependencyError, PretrainedWeightsError
    from prrt_estimators.pretrained import weight_file

    try:
        weight_file(name, cache_dir=cache_dir, download=False)
    except MissingDependencyError:
        return f'pip install "prrt-estimators[{"hub" if WEIGHTS[name].repository else name}]"'
    except PretrainedWeightsError as error:
        return "damaged" if error.kind == "damaged" else f"prrt weights fetch {name}"
    return "here"
