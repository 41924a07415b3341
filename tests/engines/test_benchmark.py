"""The stored results of the benchmark and what is told of them."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.run import RESULTS, directory_bytes, summary


def test_the_summary_is_of_the_stored_results() -> None:
    stored = [json.loads(path.read_text()) for path in sorted(RESULTS.glob("[0-9]*x*.json"))]
    assert [item["people"] for item in stored] == [1_000_000, 100_000, 10_000]
    assert summary(stored) == (RESULTS / "summary.md").read_text()
    for item in stored:
        limits, ratios = item["lower_limits"], item["ratios"]
        wall = item["main_job"]["wall_seconds"]
        assert ratios["main_job_to_flagging"] == wall / limits["flagging_seconds"]
        # What is not in a step: starting Python, and what a run does before its first step and after its last.
        assert 0.8 * wall < sum(item["steps"].values()) < wall


def test_what_links_point_at_is_counted_once(tmp_path: Path) -> None:
    (tmp_path / "000001").mkdir()
    (tmp_path / "000001" / "file").write_bytes(b"12345")
    (tmp_path / "current").symlink_to("000001")
    (tmp_path / "file").symlink_to("current/file")
    assert directory_bytes(tmp_path) == 5
