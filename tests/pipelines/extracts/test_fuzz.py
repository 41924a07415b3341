"""Spoilt deliveries of every format: each lands, is set aside in part or is refused; none crashes, leaks or is lost.

`python -m tests.pipelines.extracts.fuzzing --cases 3000` tries more than the suite has time for.
"""

from __future__ import annotations

import datetime
from collections import Counter
from pathlib import Path

import pytest

from pipelines.extracts import detect
from pipelines.extracts.landing import land
from pipelines.settings import Settings
from tests.pipelines.extracts import fuzzing
from tests.pipelines.extracts.small_samples import SAMPLES

CASES_A_SAMPLE, SEED = 30, 20_260
RECEIVED = datetime.date(2024, 6, 30)


@pytest.mark.parametrize("sample", sorted(SAMPLES))
def test_no_spoilt_delivery_crashes_leaks_or_gets_lost(sample: str, tmp_path: Path) -> None:
    outcomes: Counter[str] = Counter()
    wrong = []
    for number in range(CASES_A_SAMPLE):
        name = f"{sample}/{SEED}/{number}"
        outcome, faults = fuzzing.run_case(name, tmp_path)
        outcomes[outcome] += 1
        wrong += [f"{name}: {fault}" for fault in faults]
    print(f"{sample}: {outcomes.total()} tried, {dict(outcomes)}")
    assert not wrong, "\n".join(wrong)
    # Were nothing refused or set aside, nothing would have been spoilt.
    assert outcomes["refused"] > 0
    assert outcomes["quarantined"] > 0


@pytest.mark.parametrize("sample", sorted(SAMPLES))
def test_an_unspoilt_sample_lands_whole(sample: str, tmp_path: Path) -> None:
    files = SAMPLES[sample]()
    folder = tmp_path / "extracts"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    batch = land(folder, Settings(out=tmp_path / "out", memory_limit="1GB", threads=1), received=RECEIVED)
    assert batch.format == sample.split()[0]
    assert batch.rows_quarantined == 0
    assert batch.rows_in > 0


def test_every_format_has_a_sample() -> None:
    assert {sample.split()[0] for sample in SAMPLES} == set(detect.FORMATS)


def test_the_same_case_is_spoilt_in_the_same_way() -> None:
    import random

    def spoilt() -> tuple[dict[str, bytes], str]:
        return fuzzing.spoil(random.Random("x"), SAMPLES["rif"]())

    assert spoilt() == spoilt()


def test_a_value_of_a_row_in_a_message_is_noticed(tmp_path: Path) -> None:
    settings = Settings(out=tmp_path)
    assert fuzzing.faults_of_refusal("carrier.csv: found ZQB0001", settings) != []
    assert fuzzing.faults_of_refusal("carrier.csv: a required column is missing", settings) == []
