"""Final action and identifiers against plain readings of the same rules, for any order and mixture of statements."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.settings import CONTRACTS
from tests.dbt_project.compiled_models import Bench, compile_models

CLAIMS = ["c1", "c2", "c3", "c4"]
PEOPLE = ["p1", "p2", "p3", "p4", "p5", "p6"]
BATCHES = {"zz": 1, "aa": 2, "mm": 3}  # identifiers do not sort in the order of delivery

_PEOPLE_TABLES = [
    "beneficiaries",
    "enrollment_months",
    "claims",
    "encounters",
    "care_management_time",
    "consents",
    "care_plans",
    "problems",
    "do_not_contact",
    "model_rosters",
    "patient_charges",
]
_claims_contract = yaml.safe_load((CONTRACTS / "claims.yml").read_text(encoding="utf-8"))
COLUMNS = {
    "core.core_deliveries": {"batch_id": "varchar", "delivery_order": "bigint"},
    "core.core_beneficiary_ids": {"delivered_id": "varchar", "beneficiary_id": "varchar"},
    "policy.claim_classes": {
        "claim_type_code": "varchar",
        "claim_class": "varchar",
        "effective_from": "date",
        "effective_to": "date",
    },
    "staging.stg_landing__beneficiary_xref": {
        "previous_beneficiary_id": "varchar",
        "current_beneficiary_id": "varchar",
        "batch_id": "varchar",
    },
    **{f"staging.stg_landing__{table}": {"beneficiary_id": "varchar"} for table in _PEOPLE_TABLES},
    "staging.stg_landing__claims": {
        **{
            column["name"]: {"string": "varchar"}.get(column["type"], column["type"])
            for column in _claims_contract["columns"]
        },
        "batch_id": "varchar",
        "received_date": "date",
    },
}


@dataclass(frozen=True)
class Statement:
    """What one delivery says about one claim."""

    claim: str
    batch: str
    version: int
    action: str
    adjusts: str | None
    marked_final: bool | None
    family: str | None

    @property
    def order(self) -> tuple[int, int]:
        return BATCHES[self.batch], self.version


_statements = st.lists(
    st.builds(
        Statement,
        claim=st.sampled_from(CLAIMS),
        batch=st.sampled_from(sorted(BATCHES)),
        version=st.integers(1, 2),
        action=st.sampled_from(["original", "original", "replacement", "cancellation"]),
        adjusts=st.sampled_from([None, None, *CLAIMS]),
        marked_final=st.sampled_from([None, True, True, False]),
        family=st.sampled_from([None, "f1"]),
    ),
    max_size=9,
    unique_by=lambda statement: (statement.claim, statement.batch, statement.version),
)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return compile_models(tmp_path_factory.mktemp("compiled"), "core_claims", "core_beneficiary_ids")


@pytest.fixture(scope="module")
def bench() -> Bench:
    bench = Bench(COLUMNS)
    bench.load("core.core_deliveries", BATCHES.items())
    bench.load_seed("claim_classes")
    return bench


def _final(statements: list[Statement]) -> set[Statement]:
    """The statements that stand, told claim by claim."""
    newest = {
        claim: max((row for row in statements if row.claim == claim), key=lambda row: row.order)
        for claim in {row.claim for row in statements}
    }
    adjusting = [
        row for row in newest.values() if row.action != "original" and row.adjusts not in (None, row.claim)
    ]
    adjusted_later = {row.adjusts for row in adjusting}
    # What the source withdrew adjusts nothing, unless it is a link of a chain that a later link took over.
    removed = {
        row.adjusts for row in adjusting if row.marked_final is not False or row.claim in adjusted_later
    }
    standing = set()
    for row in newest.values():
        relatives = [
            other
            for other in newest.values()
            if row.family
            and other.family == row.family
            and other.marked_final
            and other.action != "cancellation"
        ]
        outdated = row.marked_final and any(BATCHES[other.batch] > BATCHES[row.batch] for other in relatives)
        if (
            row.action != "cancellation"
            and row.marked_final is not False
            and row.claim not in removed
            and not outdated
        ):
            standing.add(row)
    return standing


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(statements=_statements)
def test_what_is_final_action_is_what_a_reader_of_the_statements_would_keep(
    bench: Bench, compiled: dict[str, str], statements: list[Statement]
) -> None:
    names = list(COLUMNS["staging.stg_landing__claims"])
    rows = []
    for row in statements:
        values = {
            "claim_id": row.claim,
            "batch_id": row.batch,
            "claim_version": row.version,
            "claim_group_id": row.family,
            "beneficiary_id": "p1",
            "claim_type": "carrier",
            "from_date": "2023-05-01",
            "action": row.action,
            "adjusted_claim_id": row.adjusts,
            "is_final_action": row.marked_final,
        }
        rows.append([values.get(name) for name in names])
    bench.load("staging.stg_landing__claims", rows)
    bench.load("core.core_beneficiary_ids", [("p1", "p1")])
    bench.build("core.core_claims", compiled["core_claims"])
    found = bench.rows(
        "select claim_id, batch_id, claim_version, is_final, not_final_reason from core.core_claims"
    )
    assert len(found) == len(statements), "every statement is kept"
    assert {tuple(row[:3]) for row in found if row[3]} == {
        (row.claim, row.batch, row.version) for row in _final(statements)
    }
    assert all(is_final == (reason is None) for *_, is_final, reason in found)


def _current(links: dict[str, str], person: str) -> str:
    """Follow the replacements; where they run in a circle, its smallest member."""
    seen = [person]
    while (following := links.get(seen[-1])) is not None and following not in seen:
        seen.append(following)
    return min(seen[seen.index(following) :]) if following else seen[-1]


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(
    links=st.dictionaries(st.sampled_from(PEOPLE), st.sampled_from(PEOPLE)),
    older=st.dictionaries(st.sampled_from(PEOPLE), st.sampled_from(PEOPLE), max_size=2),
)
def test_every_identifier_stands_for_one_person_whatever_the_replacements(
    bench: Bench, compiled: dict[str, str], links: dict[str, str], older: dict[str, str]
) -> None:
    rows = [(previous, current, "zz") for previous, current in older.items() if previous in links]
    rows += [(previous, current, "mm") for previous, current in links.items()]
    bench.load("staging.stg_landing__beneficiary_xref", rows)
    bench.load("staging.stg_landing__beneficiaries", [(person,) for person in PEOPLE])
    bench.load("staging.stg_landing__claims", [])
    bench.build("core.ids_found", compiled["core_beneficiary_ids"])
    # The newest delivery decides; an identifier that it replaces by itself is left to the older one.
    chosen = {**{old: new for old, new in older.items() if old in links and old != new}}
    chosen |= {old: new for old, new in links.items() if old != new}
    expected = {(person, _current(chosen, person)) for person in PEOPLE}
    assert set(bench.rows("select delivered_id, beneficiary_id from core.ids_found")) == expected
