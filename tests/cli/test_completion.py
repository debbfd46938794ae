"""Completion of commands and options in a shell."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from prrt_estimators.cli import app


@pytest.mark.parametrize(
    ("words", "place", "expected"),
    [("prrt ing", 1, {"ingest"}), ("prrt predict --qu", 2, {"--quiet"}), ("prrt p", 1, {"predict", "pretrain"})],
)
def test_bash_completes_commands_and_options(words, place, expected):
    env = {"_PRRT_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(place)}
    answer = CliRunner().invoke(app, [], prog_name="prrt", env=env)
    assert set(answer.stdout.split()) == expected


def test_the_help_says_how_to_switch_it_on():
    assert "--install-completion" in CliRunner().invoke(app, ["--help"]).stdout
