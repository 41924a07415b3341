"""A run that left steps out has not come to its end, whatever Dagster calls it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from pipelines.run_outcome import succeeded, what_failed
from pipelines.settings import Settings


def event(step: str, *, failed: bool = False, skipped: bool = False) -> SimpleNamespace:
    return SimpleNamespace(step_key=step, is_step_failure=failed, is_step_skipped=skipped)


def result(*events: SimpleNamespace) -> SimpleNamespace:
    return SimpleNamespace(success=True, all_events=list(events), get_asset_check_evaluations=list)


@pytest.mark.parametrize(
    ("success", "published"), [(True, True), (True, False), (False, True), (False, False)]
)
def test_a_run_succeeded_when_it_published(success: bool, published: bool) -> None:
    told = succeeded(SimpleNamespace(published=published), SimpleNamespace(success=success))
    assert told == (success and published)


def test_steps_left_out_are_named_where_none_failed(tmp_path: Path) -> None:
    context = SimpleNamespace(broken_at=[], settings=Settings(out=tmp_path))
    left_out = result(event("warehouse"), event("disparity", skipped=True))
    assert what_failed(context, left_out) == ["step disparity left out"]
    broken = result(event("warehouse", failed=True), event("disparity", skipped=True))
    assert what_failed(context, broken) == ["step warehouse"]
