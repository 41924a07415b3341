"""The worked example of debits and credits in the claim feed's information packet, with its published answers."""

from __future__ import annotations

import csv
import datetime
from pathlib import Path

import duckdb
import pytest

from pipelines.extracts.landing import land
from pipelines.settings import Settings
from tests.dbt_project.compiled_models import Bench, compile_models
from tests.pipelines.extracts.test_cclf import CLAIM_1, LINE_5, record

pytestmark = pytest.mark.public_data
RECEIVED = datetime.date(2024, 6, 30)


def table(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / "cclf_packet_worked_example" / name).open(encoding="utf-8", newline="") as content:
        return list(csv.DictReader(content))


@pytest.fixture(scope="module")
def decided(public_data: Path, tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    """The example's claims of both tables as files 1 and 5, landed and decided by core_claims."""
    scratch = tmp_path_factory.mktemp("packet")
    extracts = scratch / "extracts"
    extracts.mkdir()
    facility = [
        record("1", CLAIM_1 | {name.replace("MR_MBI", "BENE_MBI_ID"): value for name, value in row.items()})
        for row in table(public_data, "part_a_header_table4.csv")
    ]
    # Both tables number their claims from 1; in a feed no identifier is used twice.
    lines = [
        record(
            "5",
            LINE_5
            | {"CUR_CLM_UNIQ_ID": f"5{row['CUR_CLM_UNIQ_ID']}"}
            | {name: value for name, value in row.items() if name not in ("MR_MBI", "CUR_CLM_UNIQ_ID")}
            | {"BENE_MBI_ID": row["MR_MBI"]},
        )
        for row in table(public_data, "part_b_lines_table6.csv")
    ]
    (extracts / "ZC1").write_text("".join(f"{line}\n" for line in facility))
    (extracts / "ZC5").write_text("".join(f"{line}\n" for line in lines))
    settings = Settings(out=scratch / "out", memory_limit="1GB", threads=1)
    batch = land(extracts, settings, received=RECEIVED)
    assert batch.rows_quarantined == 0
    sql = compile_models(scratch, "core_claims")["core_claims"]
    claims = duckdb.sql(f"select * from '{batch.folder}/claims.parquet'")
    columns = {
        "staging.stg_landing__claims": dict(zip(claims.columns, map(str, claims.types), strict=True)),
        "core.core_deliveries": {"batch_id": "varchar", "delivery_order": "integer"},
        "core.core_beneficiary_ids": {"delivered_id": "varchar", "beneficiary_id": "varchar"},
        "policy.claim_classes": {
            "claim_type_code": "varchar",
            "claim_class": "varchar",
            "effective_from": "date",
            "effective_to": "date",
        },
    }
    bench = Bench(columns)
    bench.load("staging.stg_landing__claims", claims.fetchall())
    bench.load("core.core_deliveries", [(batch.batch_id, 1)])
    person = table(public_data, "part_a_header_table4.csv")[0]["MR_MBI"]
    bench.load("core.core_beneficiary_ids", [(person, person)])
    bench.con.execute(f"create table decided as {sql}")
    bench.con.execute(f"create table lines as select * from '{batch.folder}/claim_lines.parquet'")
    return bench.con


def published(folder: Path, name: str, measure: str) -> str:
    return next(
        row["value"]
        for row in table(folder, "expected.csv")
        if row["table"] == name and row["measure"] == measure
    )


def test_the_claims_that_stand_are_those_of_the_packet(
    decided: duckdb.DuckDBPyConnection, public_data: Path
) -> None:
    standing = {
        row[0]
        for row in decided.execute(
            "select claim_id from decided where is_final and claim_type = 'inpatient'"
        ).fetchall()
    }
    certain, _, either = published(public_data, "part_a_header_table4", "final_action_claims").partition(
        ";and exactly one of "
    )
    assert standing >= set(certain.split(";"))
    rest = standing - set(certain.split(";"))
    assert len(rest) == 1 and rest < set(either.split(" or "))


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("part_a_header_table4", ["inpatient"]),
        ("part_b_lines_table6", ["carrier"]),
        ("both", ["inpatient", "carrier"]),
    ],
)
def test_payments_add_up_to_those_of_the_packet(
    decided: duckdb.DuckDBPyConnection, public_data: Path, name: str, kinds: list[str]
) -> None:
    expected = float(published(public_data, name, "net_payment"))
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    for condition in ("is_final", "true"):  # what stands, and all with their signs
        ((paid,),) = decided.execute(
            f"select sum(paid_usd) from decided where {condition} and claim_type in ({listed})"
        ).fetchall()
        assert float(paid) == expected


def test_lines_of_the_claims_that_stand_add_up_too(
    decided: duckdb.DuckDBPyConnection, public_data: Path
) -> None:
    ((paid,),) = decided.execute("""
        select sum(lines.paid_usd) from lines
        inner join decided using (claim_id, claim_version) where is_final""").fetchall()
    assert float(paid) == float(published(public_data, "part_b_lines_table6", "net_payment"))
