"""Arguments, determinism, chunks, the twin and the parameter file."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest
import yaml

from pipelines.settings import POLICY_SEEDS, REPOSITORY
from pipelines.simulate import simulate
from pipelines.simulate.book import order_within
from pipelines.simulate.chunk import make_chunk
from pipelines.simulate.diagnoses import hashed
from pipelines.simulate.parameters import DEFAULTS, calendar, load
from pipelines.simulate.streams import choose, choose_band, draw_member, stream
from pipelines.simulate.world import build_world
from pipelines.simulate.writing import contract_schemas, to_arrow

SMALL = "window: {chunk_people: 500}\nccm: {uptake_scale: 4}\n"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("parameters") / "own.yml"
    path.write_text(SMALL, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, own: Path) -> Path:
    folder = tmp_path_factory.mktemp("small")
    simulate(1100, 18, 5, folder, parameters=own)
    return folder


def checksums(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_same_arguments_give_the_same_bytes(small, own, tmp_path):
    simulate(1100, 18, 5, tmp_path, parameters=own)
    first, second = checksums(small), checksums(tmp_path)
    assert len(first) == 17 + 12 + 1 + 1
    assert first == second


@pytest.mark.parametrize("threads", ["1", "3"])
def test_the_number_of_threads_changes_no_byte(small, own, tmp_path, threads):
    call = "import sys; from pathlib import Path; from pipelines.simulate import simulate; "
    call += "simulate(1100, 18, 5, Path(sys.argv[1]), parameters=Path(sys.argv[2]))"
    environment = os.environ | {"POLARS_MAX_THREADS": threads, "OMP_NUM_THREADS": threads}
    subprocess.run([sys.executable, "-c", call, tmp_path, own], env=environment, cwd=REPOSITORY, check=True)
    assert checksums(tmp_path) == checksums(small)


def test_another_seed_gives_other_people(small, own, tmp_path):
    simulate(1100, 18, 6, tmp_path, parameters=own)
    first, second = checksums(small), checksums(tmp_path)
    assert first["extracts/claims.parquet"] != second["extracts/claims.parquet"]
    assert first["extracts/beneficiaries.parquet"] != second["extracts/beneficiaries.parquet"]


def test_a_chunk_made_alone_and_out_of_order_is_the_chunk_of_the_run(small, own):
    settings = load(own)
    months = calendar(settings, 18)
    world = build_world(settings, 1100, 5, months)
    tables = make_chunk(settings, months, world, 5, 2, 1000, 100, False).tables
    alone = to_arrow(tables["claims"], contract_schemas()["claims"])
    written = pl.read_parquet(small / "extracts" / "claims.parquet").tail(len(tables["claims"]))
    assert len(written) > 500
    assert pl.from_arrow(alone).equals(written)


def test_a_run_replaces_what_an_earlier_run_wrote(small, own, tmp_path):
    simulate(1100, 18, 5, tmp_path, parameters=own, files="csv")
    simulate(1100, 18, 5, tmp_path, parameters=own)
    assert checksums(tmp_path) == checksums(small)


def test_csv_holds_the_same_rows_as_parquet(small, own, tmp_path):
    simulate(1100, 18, 5, tmp_path, parameters=own, files="csv")
    for name in ("claims", "claim_lines", "enrollment_months", "care_management_time"):
        parquet = duckdb.sql(f"select * from '{small}/extracts/{name}.parquet'")
        types = dict(zip(parquet.columns, map(str, parquet.types), strict=True))
        texts = duckdb.read_csv(str(tmp_path / "extracts" / f"{name}.csv"), dtype=types)
        assert duckdb.sql("select count(*) from (from parquet except all from texts)").fetchone() == (0,)
        assert len(texts) == len(parquet)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"format": "x12"}, "format 'x12' cannot be simulated; formats: practice"),
        ({"files": "xlsx"}, "files 'xlsx' cannot be written"),
        ({"people": 0}, "people must be between"),
        ({"months": 0}, "months must be at least 1"),
        ({"seed": -1}, "seed must not be negative"),
        ({"months": 180}, "amounts are described from 2010-01"),
        ({"last_month": dt.date(2027, 3, 1)}, "policy is described to 2026-12"),
        ({"error_scale": 2, "error_rate": 0.01}, "by scale or by rate"),
        ({"error_rate": 0.9}, "between 0 and 0.5"),
    ],
)
def test_arguments_that_cannot_be_used_are_named(arguments, message, tmp_path):
    wanted = {"people": 100, "months": 12, "seed": 1, "out": tmp_path / "x"} | arguments
    with pytest.raises(ValueError, match=message):
        simulate(**wanted)
    assert not (tmp_path / "x").exists()


def test_an_unknown_parameter_is_named(tmp_path):
    path = tmp_path / "own.yml"
    path.write_text("ccm: {anual_uptake: 0.1}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"own\.yml\.ccm: no parameter is called 'anual_uptake'"):
        simulate(100, 12, 1, tmp_path / "x", parameters=path)
    path.write_text("ccm: [1\n", encoding="utf-8")
    with pytest.raises(ValueError, match="cannot be read as YAML"):
        simulate(100, 12, 1, tmp_path / "x", parameters=path)


def test_a_code_without_a_price_stops_the_run(tmp_path):
    path = tmp_path / "own.yml"
    path.write_text("services: {}\n", encoding="utf-8")
    with pytest.raises(ValueError, match="no price in force for 36415"):
        simulate(1500, 24, 1, tmp_path / "x", parameters=path)


def test_own_parameters_change_only_what_they_name(tmp_path):
    path = tmp_path / "own.yml"
    path.write_text("people: {female: 1.0}\n", encoding="utf-8")
    settings, defaults = load(path), load(None)
    assert settings["people"].pop("female") == 1.0
    assert defaults["people"].pop("female") == 0.54
    assert settings == defaults


def test_one_person_and_one_month_is_a_population(tmp_path):
    record = simulate(1, 1, 1, tmp_path)
    assert record["truth_rows"]["people"] == 1
    assert (tmp_path / "extracts" / "claims.parquet").exists()


def test_the_twin_shares_every_draw_and_lacks_only_the_effect(tmp_path):
    own = tmp_path / "own.yml"
    own.write_text("ccm: {uptake_scale: 20, effect: {admission_ratio: 0.2}}\n", encoding="utf-8")
    simulate(2500, 24, 9, tmp_path / "with", parameters=own)
    simulate(2500, 24, 9, tmp_path / "without", parameters=own, twin=True)
    con = duckdb.connect()

    def count(sql: str) -> int:
        return con.execute(sql).fetchone()[0]

    for world in ("with", "without"):
        con.execute(
            f"create view {world}_claims as select * from '{tmp_path}/{world}/extracts/claims.parquet'"
        )
        con.execute(
            f"create view {world}_truth as select * from '{tmp_path}/{world}/truth/prevented_events.parquet'"
        )
    for name in ("consents", "care_plans", "care_management_time", "enrollment_months", "beneficiaries"):
        same = [
            (tmp_path / world / "extracts" / f"{name}.parquet").read_bytes() for world in ("with", "without")
        ]
        assert same[0] == same[1], name
    prevented = count("select count(*) from with_truth where kind = 'inpatient'")
    assert prevented > 5
    assert count("select count(*) from without_truth") == 0
    # Claims of this world are claims of the twin, planted faults aside; the twin has the prevented stays.
    same = "select claim_id, claim_version, claim_type, from_date, through_date, processed_date, action"
    assert (
        count(f"""
        select count(*) from (
            {same} from with_claims where claim_id not like 'X%'
            except all {same} from without_claims)
    """)
        == 0
    )
    stays = "select count(*) from {}_claims where claim_type = 'inpatient' and action = 'original'"
    stays += " and claim_id not like 'X%'"
    assert count(stays.format("without")) - count(stays.format("with")) == prevented


def test_codes_of_conditions_are_the_policy_seeds_codes_and_of_one_condition_only():
    listed = yaml.safe_load(DEFAULTS.read_text(encoding="utf-8"))["conditions"]
    belongs: dict[str, set[str]] = {}
    with (POLICY_SEEDS / "condition_codes.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["definition"].startswith("CCW30") and row["icd_version"] == "10":
                belongs.setdefault(row["diagnosis_code"], set()).add(row["condition"])
    for item in listed["list"]:
        for code in item["codes"]:
            assert belongs.get(code) == {item["name"]}, code
    for code in listed["other_codes"]:
        assert code not in belongs, code
    simulated = {item["name"] for item in listed["list"]}
    for code in listed["stay_codes"]:
        assert not belongs.get(code, set()) & simulated, code


def test_draws_follow_their_weights():
    u = stream(1, "test", 0).random(200_000)
    share = np.bincount(choose([1, 2, 5], u), minlength=3) / len(u)
    assert np.allclose(share, [1 / 8, 2 / 8, 5 / 8], atol=0.005)
    member = draw_member(
        np.array([1.0, 3.0, 2.0, 0.0]), np.array([1, 1, 0, 2]), np.array([1, 0, 2, 3] * 50_000), u
    )
    assert set(member[1::4]) == {2}
    assert set(member[2::4]) == {-1}
    assert set(member[3::4]) == {-1}
    assert abs((member[0::4] == 1).mean() - 0.75) < 0.01
    values = choose_band([[0.5, 1, 2], [0.5, 10, 10]], u[:1000], u[1000:2000])
    assert set(values) == {1, 2, 10}


def test_streams_of_other_names_or_chunks_are_unrelated():
    base = stream(1, "people", 0).random(1000)
    assert np.array_equal(base, stream(1, "people", 0).random(1000))
    for other in (stream(2, "people", 0), stream(1, "events", 0), stream(1, "people", 1)):
        assert abs(np.corrcoef(base, other.random(1000))[0, 1]) < 0.15


def test_hashed_numbers_are_uniform_and_depend_on_their_key_only():
    keys = np.arange(100_000, dtype=np.int64)
    numbers = hashed(keys, np.uint64(12345), 3)
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert np.allclose(numbers.mean(axis=0), 0.5, atol=0.01)
    assert abs(np.corrcoef(numbers[:, 0], numbers[:, 1])[0, 1]) < 0.02
    assert np.array_equal(numbers[500:600], hashed(keys[500:600], np.uint64(12345), 3))


def test_order_within_counts_each_run_from_zero():
    assert order_within(np.array([4, 4, 4, 7, 9, 9])).tolist() == [0, 1, 2, 0, 0, 1]
    assert order_within(np.array([], dtype=np.int64)).tolist() == []


def test_decimals_are_exact():
    schema = contract_schemas()["claims"]
    frame = pl.DataFrame({name: [None, None, None] for name in schema.names}).with_columns(
        paid_usd=pl.Series([12_345, -5, None], dtype=pl.Int64)
    )
    assert [str(x) for x in to_arrow(frame, schema)["paid_usd"].to_pylist()] == ["123.45", "-0.05", "None"]
