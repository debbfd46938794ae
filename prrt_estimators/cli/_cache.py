"""``prrt cache``: the folder of prepared scans."""

from __future__ import annotations

from typing import Annotated

import typer

from prrt_estimators.cli._console import reported
from prrt_estimators.cli._model_options import CacheDir

app = typer.Typer(help="Show, prune or empty the folder of prepared scans.", no_args_is_help=True)


@app.command("info")
@reported
def info(cache_dir: CacheDir = None) -> None:
    """Print where prepared scans lie, how many there are, and how much space they take."""
    from prrt_estimators.preprocessing import cache_info

    for name, value in cache_info(cache_dir).items():
        print(f"{name}\t{value}")


@app.command("clear")
@reported
def clear(cache_dir: CacheDir = None) -> None:
    """Delete prepared scans; they are made again when they are needed."""
    from prrt_estimators.preprocessing import clear_cache

    print(f"{clear_cache(cache_dir)} prepared scans deleted")


@app.command("prune")
@reported
def prune(
    cache_dir: CacheDir = None,
    max_size: Annotated[
        str | None, typer.Option(help="What may stay, e.g. 20GB: those used last.", show_default=False)
    ] = None,
    max_days: Annotated[
        float | None, typer.Option(help="Delete those not used for so many days.", min=0, show_default=False)
    ] = None,
) -> None:
    """Delete prepared scans that have not been used for a long time; they are made again when needed."""
    from prrt_estimators.preprocessing import prune_cache

    if max_size is None and max_days is None:
        raise typer.BadParameter("give --max-size or --max-days; prrt cache clear deletes everything.")
    print(f"{prune_cache(cache_dir, max_size=max_size, max_days=max_days)} prepared scans deleted")
