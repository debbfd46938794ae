"""Command line: ``prrt``. Every command does what a script could do with the library."""

from prrt_estimators.cli._app import app, main

__all__ = ["app", "main"]
