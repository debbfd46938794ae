"""``prrt cache``: the folder of prepared scans."""

from __future__ import annotations

import typer

from prrt_estimators.cli._console import reported
from prrt_estimators.cli._model_options import CacheDir

app = typer.Typer(help="Show or empty the folder of prepared scans.", no_args_is_help=True)


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
