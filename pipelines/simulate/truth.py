"""What was planted, row by row. The pipeline never reads it; tests and evaluations do."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from pipelines.simulate.companions import CCM_FALLS
from pipelines.simulate.errors import COLLATERAL
from pipelines.simulate.events import Events
from pipelines.simulate.groups import deprivation
from pipelines.simulate.parameters import Calendar
from pipelines.simulate.people import People
from pipelines.simulate.policy import ccm_codes
from pipelines.simulate.programme import BILLED, LANES, UNBILLED, Episodes, Months
from pipelines.simulate.render import claim_id, current_id, npi_of, tin_of
from pipelines.simulate.world import World


def people_truth(
    parameters: dict[str, Any], calendar: Calendar, world: World, people: People
) -> dict[str, pl.DataFrame]:
    """people and conditions."""
    everyone = np.arange(people.size)
    table = pl.DataFrame(
        {
            "beneficiary_id": current_id(people, everyone),
            "race": pl.Series(people.race).cast(pl.String),
            "is_dual": people.dual,
            "is_rural": world.place_rural[people.place],
            "is_south": world.place_south[people.place],
            "deprivation_percentile": deprivation(parameters, people),
            "age_mid_window": people.age,
            "latent_health": people.latent,
            "frailty": people.frailty,
            "condition_count": people.condition.sum(axis=1),
            "practice_tin": tin_of(world, pl.Series(people.practice)),
            "practitioner_npi": npi_of(world, pl.Series(people.practitioner)),
        }
    )
    person, k = np.nonzero(people.condition | people.false_positive)
    names = pl.Series([item["name"] for item in parameters["conditions"]["list"]])
    conditions = pl.DataFrame(
        {
            "beneficiary_id": current_id(people, person),
            "condition": names.gather(k),
            "onset_month": pl.Series(calendar.starts[people.onset[person, k]]).cast(pl.Int32).cast(pl.Date),
            "is_held": people.condition[person, k],
            "is_coded": people.coded[person, k],
        }
    )
    return {"people": table, "conditions": conditions}


def programme_truth(
    calendar: Calendar, world: World, people: People, episodes: Episodes, months: Months
) -> dict[str, pl.DataFrame]:
    """episodes and ccm_months with the capture state that the plan implies (null where an error blurs it)."""
    keeps = world.practice_keeps_records[episodes.practice]
    table = pl.DataFrame(
        {
            "beneficiary_id": current_id(people, episodes.person),
            "practice_tin": tin_of(world, pl.Series(episodes.practice)),
            "practitioner_npi": npi_of(world, pl.Series(episodes.practitioner)),
            "first_month": _month(calendar, episodes.first),
            "last_month": _month(calendar, episodes.last),
            "lane": pl.Series(LANES).gather(episodes.lane),
            "is_own_practice": episodes.own,
            "keeps_records": keeps,
            "is_second_biller": episodes.second_biller,
            "planted_error": pl.Series(episodes.error.tolist(), dtype=pl.String),
        }
    )
    owner = months.episode
    kept, billed = keeps[owner], months.status == BILLED
    plain = (months.error == "") & ~months.denied & (months.detail == "")
    state = np.where(months.status == UNBILLED, "billable_not_billed", "served_below_threshold").astype(
        "<U24"
    )
    state = np.where(
        billed, np.where(months.under_billed, "billed_below_record", "billed_as_supported"), state
    )
    state = np.where(~billed & (episodes.error == "F28")[owner], "not_eligible", state)
    state = np.where(billed & ~kept, "billed_record_missing", state)
    state = np.where(
        np.isin(months.error, ["F14", "F15", "F11", "F12"]) & kept, "billed_beyond_record", state
    )
    # A rural clinic or health centre bills by rules of its own, which the capture states do not read.
    ordinary = ~world.is_health_centre[episodes.practice][owner]
    telling = plain | np.isin(months.error, ["F14", "F15", "F24", "F26", "F28"])
    known = ordinary & telling & (billed | kept)
    served = pl.DataFrame(
        {
            "beneficiary_id": current_id(people, episodes.person[owner]),
            "service_month": _month(calendar, months.month),
            "practitioner_npi": npi_of(world, pl.Series(episodes.practitioner[owner])),
            "practice_tin": tin_of(world, pl.Series(episodes.practice[owner])),
            "lane": pl.Series(LANES).gather(episodes.lane[owner]),
            "record_seconds": np.where(kept, months.seconds, 0),
            "keeps_records": kept,
            "is_billed": billed,
            "is_denied": months.denied,
            "base_units": months.base_units,
            "add_on_units": months.add_on_units,
            "expected_state": pl.Series(np.where(known, state, "").tolist(), dtype=pl.String),
            "planted_error": pl.Series(months.error.tolist(), dtype=pl.String),
        }
    ).with_columns(expected_state=pl.when(pl.col("expected_state") != "").then(pl.col("expected_state")))
    return {"episodes": table, "ccm_months": served}


def error_truth(
    calendar: Calendar,
    world: World,
    people: People,
    episodes: Episodes,
    months: Months,
    claims: pl.DataFrame,
    lines: pl.DataFrame,
) -> dict[str, pl.DataFrame]:
    """planted_errors, planted_findings and decoys, from claims and priced lines before restatement."""
    rows = np.flatnonzero(months.error != "")
    owner = months.episode[rows]
    subject = pl.DataFrame(
        {
            "row": rows,
            "rule_id": pl.Series(months.error[rows].tolist(), dtype=pl.String),
            "detail": pl.Series(months.detail[rows].tolist(), dtype=pl.String),
            "beneficiary_id": current_id(people, episodes.person[owner]),
            "service_month": _month(calendar, months.month[rows]),
            "practitioner_npi": npi_of(world, pl.Series(episodes.practitioner[owner])),
            "practice_tin": tin_of(world, pl.Series(episodes.practice[owner])),
        }
    )
    subject = subject.with_columns(
        error_id=pl.concat_str(
            "rule_id", "beneficiary_id", pl.col("service_month").dt.strftime("%Y%m"), separator="-"
        )
    )
    # What should not have been paid is the CCM, not the service that it clashes with.
    falls = ~pl.col("rule_id").is_in(CCM_FALLS) | pl.col("code").is_in(ccm_codes())
    wrong = (
        lines.filter("planted")
        .join(subject.select("row", "rule_id"), on="row")
        .with_columns(claim_id=claim_id(pl.col("key")))
        .group_by("row")
        .agg(
            claim_line_ids=pl.concat_str("claim_id", pl.col("line").cast(pl.String), separator="-").sort(),
            claim_ids=pl.col("claim_id").unique().sort(),
            allowed_usd=pl.col("allowed").filter(falls).sum(),
            paid_usd=pl.col("paid").filter(falls).sum(),
        )
    )
    collateral = pl.DataFrame(
        {"rule_id": list(COLLATERAL), "collateral": list(COLLATERAL.values())},
        schema={"rule_id": pl.String, "collateral": pl.List(pl.String)},
    )
    errors = (
        subject.join(wrong, on="row", how="left").join(collateral, on="rule_id", how="left").sort("error_id")
    )
    keys = ["error_id", "beneficiary_id", "service_month", "practitioner_npi"]
    own = errors.select(*keys, "rule_id", is_planted=pl.lit(True))
    also = errors.select(*keys, rule_id="collateral", is_planted=pl.lit(False))
    also = also.filter(pl.col("rule_id").list.len() > 0).explode("rule_id")
    # Where another practitioner bills the month as well, the first biller's month breaks the same rule.
    second = errors.filter(pl.col("rule_id") == "F02").select("error_id", "beneficiary_id", "service_month")
    first_rows = np.flatnonzero(months.detail == "billed_twice")
    first_owner = months.episode[first_rows]
    counterpart = pl.DataFrame(
        {
            "beneficiary_id": current_id(people, episodes.person[first_owner]),
            "service_month": _month(calendar, months.month[first_rows]),
            "practitioner_npi": npi_of(world, pl.Series(episodes.practitioner[first_owner])),
        }
    ).join(second, on=["beneficiary_id", "service_month"])
    counterpart = counterpart.select(*keys, rule_id=pl.lit("F02"), is_planted=pl.lit(False))
    findings = pl.concat([own, also, counterpart]).sort("error_id", "rule_id", "practitioner_npi")
    decoys = claims.filter(pl.col("decoy") != "")
    decoys = decoys.select(
        claim_id=claim_id(pl.col("key")),
        kind="decoy",
        beneficiary_id=current_id(people, decoys["person"]),
        service_month=_month(calendar, calendar.month_of(decoys["from"].to_numpy())),
        practitioner_npi=npi_of(world, decoys["practitioner"]),
    )
    return {"planted_errors": errors, "planted_findings": findings, "decoys": decoys}


def pattern_truth(world: World) -> dict[str, pl.DataFrame]:
    """planted_patterns: practices that ask no patient for their share (F48)."""
    waiving = pl.Series(np.flatnonzero(world.practice_waives), dtype=pl.Int64)
    tins = tin_of(world, waiving)
    return {
        "planted_patterns": pl.DataFrame(
            {"rule_id": pl.Series(["F48"] * len(tins), dtype=pl.String), "practice_tin": tins}
        )
    }


def effect_truth(calendar: Calendar, people: People, events: Events) -> dict[str, pl.DataFrame]:
    """prevented_events: what the twin world has and this one has not."""
    stays, visits = events.stay_prevented, events.emergency_prevented
    person = np.concatenate([events.stay_person[stays], events.emergency_person[visits]])
    month = np.concatenate([events.stay_month[stays], events.emergency_month[visits]])
    kind = ["inpatient"] * int(stays.sum()) + ["emergency"] * int(visits.sum())
    table = pl.DataFrame(
        {
            "beneficiary_id": current_id(people, person),
            "service_month": _month(calendar, month),
            "kind": pl.Series(kind, dtype=pl.String),
        }
    )
    return {"prevented_events": table}


def _month(calendar: Calendar, month: np.ndarray) -> pl.Series:
    return pl.Series(calendar.starts[month]).cast(pl.Int32).cast(pl.Date)
