"""A protocol says what it means or is refused by file, key and what was expected."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from pipelines.cli import main
from pipelines.impact import protocol
from pipelines.impact.designs import DESIGNS
from pipelines.settings import REPOSITORY

LEAST = {"study": "a-study", "question": "Does it?"}


def test_the_example_is_a_protocol() -> None:
    found = protocol.read(REPOSITORY / "studies" / "ccm-spending.yml")
    assert found.primary == "total_usd"
    assert DESIGNS[found.design].standing == "candidate"


def test_the_least_protocol_has_every_default() -> None:
    found = protocol.parse(LEAST, "f.yml")
    assert (found.follow_up_months, found.design, found.seed) == (12, "H", 1)


def test_months_and_lists_are_read() -> None:
    found = protocol.parse(
        {
            **LEAST,
            "population": {"first_index_month": "2023-01"},
            "outcomes": {"main": ["hha_usd", "hha_usd"]},
        },
        "f.yml",
    )
    assert found.first_index_month == dt.date(2023, 1, 1)
    assert found.outcomes == ("hha_usd",)


@pytest.mark.parametrize(
    ("raw", "key", "expected"),
    [
        ([], "", "expected keys and values"),
        ({"study": "a"}, "question", "missing"),
        ({**LEAST, "study": "No Spaces"}, "study", "small letters"),
        ({**LEAST, "desing": {}}, "desing", "did you mean design?"),
        ({**LEAST, "design": {"primry": "H"}}, "design.primry", "did you mean primary?"),
        ({**LEAST, "design": "H"}, "design", "expected the keys primary"),
        ({**LEAST, "design": {"primary": "E"}}, "design.primary", "fail where the truth is known"),
        ({**LEAST, "windows": {"follow_up_months": 13}}, "windows.follow_up_months", "3, 6, 9, 12, 18 or 24"),
        ({**LEAST, "windows": {"follow_up_months": True}}, "windows.follow_up_months", "3, 6, 9"),
        ({**LEAST, "population": {"observed_months_before": 11}}, "population.observed_months_before", "from 12 to 36"),
        ({**LEAST, "population": {"first_index_month": "2023-13"}}, "population.first_index_month", "a month like"),
        ({**LEAST, "outcomes": {"main": []}}, "outcomes.main", "at least one of"),
        ({**LEAST, "outcomes": {"main": ["dollars"]}}, "outcomes.main", "total_usd"),
        ({**LEAST, "subgroups": ["dual"]}, "subgroups", "dual_status"),
        ({**LEAST, "sensitivity": {"winsor": 1.0}}, "sensitivity.winsor", "below 1"),
        ({**LEAST, "seed": "x"}, "seed", "whole number"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_key(raw: object, key: str, expected: str) -> None:
    with pytest.raises(protocol.ProtocolError) as problem:
        protocol.parse(raw, "f.yml")
    assert str(problem.value).startswith(f"f.yml: {key}")
    assert expected in str(problem.value)


def test_the_last_month_is_not_before_the_first() -> None:
    months = {"first_index_month": "2024-02", "last_index_month": "2024-01"}
    with pytest.raises(protocol.ProtocolError, match=r"population.last_index_month"):
        protocol.parse({**LEAST, "population": months}, "f.yml")


@pytest.mark.parametrize("text", ["study: [", "\x00", None])
def test_the_command_says_it_in_one_line(
    tmp_path: Path, text: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "f.yml"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    assert main(["study", str(file), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"ccm: {file}") and said.count("\n") == 1


def test_the_command_asks_for_a_warehouse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example = REPOSITORY / "studies" / "ccm-spending.yml"
    assert main(["study", str(example), "--out", str(tmp_path)]) == 2
    assert "run `ccm run` first" in capsys.readouterr().err
