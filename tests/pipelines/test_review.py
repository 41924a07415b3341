"""The log of reviews: who may say what, and that many at once lose nothing."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest

from pipelines.cli import main
from pipelines.review import CannotReview, review, reviews
from pipelines.settings import Settings


@pytest.fixture
def settings(patients_built: Settings, tmp_path: Path) -> Settings:
    """An output folder of its own over the named patients' warehouse."""
    (tmp_path / "warehouse.duckdb").symlink_to(patients_built.warehouse)
    shutil.copy(patients_built.run_record, tmp_path / "run.json")
    return Settings(out=tmp_path)


def finding_ids(settings: Settings) -> list[str]:
    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
        return [one for (one,) in con.execute("select finding_id from flags.findings order by 1").fetchall()]


def test_a_review_is_logged_with_who_and_when(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    finding = finding_ids(settings)[0]
    asked = [
        "review",
        finding,
        "--state",
        "confirmed",
        "--note",
        "the chart says so",
        "--out",
        str(settings.out),
    ]
    assert main([*asked, "--by", "Dana"]) == 0
    assert f"review 1: {finding} is confirmed, by Dana" in capsys.readouterr().out
    (made,) = reviews(settings)
    assert (made.number, made.finding_id, made.state, made.note, made.by) == (
        *(1, finding, "confirmed"),
        *("the chart says so", "Dana"),
    )


@pytest.mark.parametrize(
    ("before", "state", "is_legal"),
    [
        ([], "confirmed", True),
        ([], "dismissed", True),
        ([], "refunded", False),
        (["confirmed"], "confirmed", False),
        (["confirmed"], "dismissed", True),
        (["confirmed"], "refunded", True),
        (["dismissed"], "dismissed", False),
        (["dismissed"], "confirmed", True),
        (["dismissed"], "refunded", False),
        (["confirmed", "refunded"], "refunded", False),
        (["confirmed", "refunded"], "dismissed", False),
        (["confirmed", "refunded"], "confirmed", True),
    ],
)
def test_a_state_follows_only_where_it_can(
    settings: Settings, before: list[str], state: str, is_legal: bool
) -> None:
    finding = finding_ids(settings)[0]
    for one in before:
        review(settings, finding, one, "because")
    if is_legal:
        assert review(settings, finding, state, "because").number == len(before) + 1
    else:
        with pytest.raises(CannotReview, match="it can become"):
            review(settings, finding, state, "because")
        assert [one.state for one in reviews(settings)] == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none_such", "--state", "confirmed", "--note", "x"], "no finding has this identifier"),
        (["FIRST", "--state", "confirmed", "--note", "  "], "needs a note"),
        (["FIRST", "--state", "refunded", "--note", "x"], "not refunded"),
    ],
)
def test_what_cannot_be_is_one_line_and_exit_status_2(
    settings: Settings, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [finding_ids(settings)[0] if one == "FIRST" else one for one in arguments]
    assert main(["review", *arguments, "--out", str(settings.out)]) == 2
    shown = capsys.readouterr()
    assert said in shown.err and shown.err.count("\n") == 1 and shown.out == ""
    assert reviews(settings) == []


def test_a_state_that_no_reviewer_can_give_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["review", "x", "--state", "closed", "--note", "x"])
    assert left.value.code == 2
    assert "invalid choice" in capsys.readouterr().err


def test_reviews_made_at_once_are_all_kept_and_numbered_one_after_the_other(settings: Settings) -> None:
    findings = finding_ids(settings)[:12]
    with ThreadPoolExecutor(6) as several:
        made = list(several.map(lambda one: review(settings, one, "dismissed", "because"), findings))
    log = reviews(settings)
    assert [one.number for one in log] == list(range(1, len(findings) + 1))
    assert sorted(one.finding_id for one in log) == sorted(findings)
    assert {one.number for one in made} == {one.number for one in log}
    assert [one.at for one in log] == sorted(one.at for one in log)


def test_of_two_reviewers_who_say_the_same_at_once_one_is_refused(settings: Settings) -> None:
    finding = finding_ids(settings)[0]

    def attempt(_: int) -> bool:
        try:
            review(settings, finding, "confirmed", "because")
        except CannotReview:
            return False
        return True

    with ThreadPoolExecutor(4) as several:
        assert sorted(several.map(attempt, range(4))) == [False, False, False, True]
    assert len(reviews(settings)) == 1
