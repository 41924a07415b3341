"""From whole numbers to the contract tables: identifiers as text, days as dates, cents kept as cents.

Columns that end in `_usd` hold whole cents here; `writing` turns them into exact decimals.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from pipelines.simulate.book import CCM_VISIT, CLAIM_TYPES, KEY_KIND, NCH_TYPES, PRIMARY_VISIT, WELLNESS, text
from pipelines.simulate.people import People
from pipelines.simulate.world import World

FORMER = 500_000_000
OFFICE_VISITS = ["M1A", "M1B"]


def person_id(people: People, person: pl.Series, day: pl.Series) -> pl.Series:
    """Identifier in force on the day: people whose identifier changed had another one before."""
    number = pl.Series(people.number).gather(person)
    changed = pl.Series(people.identifier_day).gather(person)
    return pl.select(
        pl.lit("S")
        + pl.when(day < changed).then(number + FORMER).otherwise(number).cast(pl.String).str.zfill(9)
    ).to_series()


def current_id(people: People, person: pl.Series | np.ndarray) -> pl.Series:
    number = pl.Series(people.number).gather(pl.Series(person))
    return pl.select(pl.lit("S") + number.cast(pl.String).str.zfill(9)).to_series()


def claim_id(key: pl.Expr) -> pl.Expr:
    return pl.lit("C") + key.cast(pl.String).str.zfill(16)


def date(days: pl.Expr) -> pl.Expr:
    """Days since 1970-01-01 as a date; negative = none."""
    return pl.when(days >= 0).then(days).cast(pl.Int32).cast(pl.Date)


def filled(words: pl.Expr) -> pl.Expr:
    return pl.when(words != "").then(words)


def npi_of(world: World, practitioner: pl.Series) -> pl.Series:
    """NPI text; null where there is no practitioner."""
    words = pl.Series(world.practitioner_npi).cast(pl.String)
    return words.gather(practitioner.set(practitioner < 0, None))


def tin_of(world: World, practice: pl.Series) -> pl.Series:
    words = pl.Series(world.practice_tin).cast(pl.String).str.zfill(9)
    return words.gather(practice.set(practice < 0, None))


def claim_tables(
    world: World, people: People, claims: pl.DataFrame, lines: pl.DataFrame, slots: pl.DataFrame
) -> dict[str, pl.DataFrame]:
    """claims, claim_lines and claim_diagnoses."""
    claims = claims.with_columns(
        beneficiary_id=person_id(people, claims["person"], claims["from"]),
        billing_npi=npi_of(world, claims["practitioner"]),
        billing_tin=tin_of(world, claims["practice"]),
        claim_type=text(CLAIM_TYPES, claims["type"].to_numpy()),
        nch_claim_type_code=text(NCH_TYPES, claims["type"].to_numpy()),
    )
    facility = pl.col("ccn") > 0
    stamp = [name for name in claims.columns if name == "delivered"]  # monthly deliveries only
    headers = claims.select(
        *stamp,
        claim_id=claim_id(pl.col("key")),
        claim_version="version",
        claim_group_id=pl.lit("G") + (pl.col("key") % 10**15).cast(pl.String).str.zfill(15),
        beneficiary_id="beneficiary_id",
        claim_type="claim_type",
        nch_claim_type_code="nch_claim_type_code",
        from_date=date(pl.col("from")),
        through_date=date(pl.col("through")),
        admission_date=date(pl.col("admission")),
        discharge_date=date(pl.col("discharge")),
        discharge_status_code=filled(pl.col("discharge_status")),
        bill_type_code=filled(pl.col("bill_type")),
        facility_ccn=pl.when(facility).then(pl.col("ccn").cast(pl.String)),
        billing_npi="billing_npi",
        billing_tin="billing_tin",
        action="action",
        adjusted_claim_id=claim_id(pl.col("adjusted")),
        is_final_action=pl.lit(None, dtype=pl.Boolean),
        processed_date=date(pl.col("processed")),
        is_denied="denied",
        paid_usd="paid",
    )
    specialties = pl.Series(world.practitioner_specialty.tolist())
    no_one = lines["practitioner"] < 0
    lines = lines.with_columns(
        rendering_npi=npi_of(world, lines["practitioner"]),
        billing_tin=tin_of(world, lines["practice"]),
        specialty=specialties.gather(lines["practitioner"].set(no_one, None)),
    )
    professional = pl.col("type").is_in([CLAIM_TYPES.index("carrier"), CLAIM_TYPES.index("dme")])
    denied = pl.col("claim_denied")
    together = (
        pl.col("line").max().over("key", "version") > 1
    )  # a visit with something else on the same claim
    details = lines.select(
        *stamp,
        claim_id=claim_id(pl.col("key")),
        claim_version="version",
        line_number="line",
        from_date=date(pl.col("from")),
        through_date=date(pl.col("through")),
        hcpcs_code=filled(pl.col("code")),
        modifier_1=pl.when(pl.col("betos").is_in(OFFICE_VISITS) & professional & together).then(pl.lit("25")),
        modifier_2=pl.lit(None, dtype=pl.String),
        units="units",
        place_of_service_code=filled(pl.col("place")),
        revenue_center_code=filled(pl.col("revenue")),
        rendering_npi="rendering_npi",
        billing_tin="billing_tin",
        provider_specialty_code=pl.when(professional).then(pl.col("specialty")),
        allowed_usd="allowed",
        paid_usd="paid",
        deductible_usd="deductible",
        coinsurance_usd="coinsurance",
        processing_indicator_code=pl.when(professional).then(
            pl.when(denied).then(pl.lit("N")).otherwise(pl.lit("A"))
        ),
        is_denied=denied,
        betos_code=pl.when(professional).then(pl.col("betos")),
        pricing_locality=pl.lit(None, dtype=pl.String),
    )
    diagnoses = slots.select(
        *stamp,
        claim_id=claim_id(pl.col("key")),
        claim_version="version",
        line_number="line",
        role="role",
        position="position",
        diagnosis_code="code",
        icd_version="icd_version",
    )
    return {"claims": headers, "claim_lines": details, "claim_diagnoses": diagnoses}


def encounters(world: World, people: People, claims: pl.DataFrame) -> pl.DataFrame:
    """Visits as the practices that keep records wrote them down (claims before any restatement)."""
    kind = pl.col("key") // (KEY_KIND // 10)
    keeps = pl.Series(world.practice_keeps_records).gather(
        claims["practice"].set(claims["practice"] < 0, None)
    )
    seen = claims.with_columns(keeps=keeps).filter(
        pl.col("keeps").fill_null(False) & kind.is_in([PRIMARY_VISIT, WELLNESS, CCM_VISIT])
    )
    seen = seen.with_columns(
        beneficiary_id=person_id(people, seen["person"], seen["from"]),
        npi=npi_of(world, seen["practitioner"]),
        tin=tin_of(world, seen["practice"]),
    )
    return seen.select(
        encounter_id=pl.lit("E") + pl.col("key").cast(pl.String).str.zfill(16),
        beneficiary_id="beneficiary_id",
        encounter_class=pl.lit("office"),
        start_date=date(pl.col("from")),
        end_date=pl.lit(None, dtype=pl.Date),
        practitioner_npi="npi",
        practice_tin="tin",
        visit_code="code",
    )


def record_tables(
    world: World,
    people: People,
    consents: pl.DataFrame,
    plans: pl.DataFrame,
    problems: pl.DataFrame,
    time: pl.DataFrame,
) -> dict[str, pl.DataFrame]:
    """consents, care_plans, problems and care_management_time."""
    consent = consents.with_columns(
        beneficiary_id=person_id(people, consents["person"], consents["day"]),
        npi=npi_of(world, consents["practitioner"]),
        tin=tin_of(world, consents["practice"]),
    ).select(
        consent_id=pl.lit("N") + pl.col("number").cast(pl.String).str.zfill(10),
        beneficiary_id="beneficiary_id",
        practitioner_npi="npi",
        practice_tin="tin",
        consent_date=date(pl.col("day")),
        consent_mode="mode",
        revoked_date=date(pl.col("revoked")),
    )
    plan = plans.with_columns(
        beneficiary_id=person_id(people, plans["person"], plans["created"]),
        npi=npi_of(world, plans["practitioner"]),
        tin=tin_of(world, plans["practice"]),
    ).select(
        care_plan_id=pl.lit("P") + pl.col("number").cast(pl.String).str.zfill(11),
        beneficiary_id="beneficiary_id",
        practitioner_npi="npi",
        practice_tin="tin",
        created_date=date(pl.col("created")),
        last_revised_date=date(pl.col("revised")),
        given_to_patient_date=date(pl.col("given")),
    )
    problem = problems.with_columns(
        beneficiary_id=person_id(people, problems["person"], problems["day"]),
        tin=tin_of(world, problems["practice"]),
    ).select(
        problem_id=pl.lit("L") + pl.col("number").cast(pl.String).str.zfill(12),
        beneficiary_id="beneficiary_id",
        practice_tin="tin",
        diagnosis_code="code",
        icd_version="icd_version",
        recorded_date=date(pl.col("day")),
        resolved_date=pl.lit(None, dtype=pl.Date),
    )
    activity = time.with_columns(
        beneficiary_id=person_id(people, time["person"], time["started"] // 86_400),
        npi=npi_of(world, time["practitioner"]),
        tin=tin_of(world, time["practice"]),
    ).select(
        activity_id=pl.lit("A") + pl.col("number").cast(pl.String).str.zfill(14),
        beneficiary_id="beneficiary_id",
        practitioner_npi="npi",
        practice_tin="tin",
        staff_id=pl.when("by_practitioner")
        .then(pl.lit("D") + pl.col("npi"))
        .otherwise(pl.lit("T") + pl.col("tin") + pl.lit("-") + pl.col("staff").cast(pl.String)),
        staff_credential=pl.when("by_practitioner")
        .then(pl.col("own_credential"))
        .otherwise(pl.col("credential")),
        staff_country_code=pl.when("told").then(pl.when("abroad").then(pl.lit("PH")).otherwise(pl.lit("US"))),
        supervision=pl.when(pl.col("told") & ~pl.col("by_practitioner")).then(pl.lit("general")),
        started_at=(pl.col("started") * 1_000_000).cast(pl.Datetime("us")),
        seconds="seconds",
        activity="activity",
        programme="programme",
        decision_making_level=pl.when("recorded").then(pl.col("level")),
        is_voided="voided",
    )
    return {
        "consents": consent,
        "care_plans": plan,
        "problems": problem,
        "care_management_time": activity,
    }


def optional_tables(
    world: World, people: People, rosters: pl.DataFrame, charges: pl.DataFrame, refusals: pl.DataFrame
) -> dict[str, pl.DataFrame]:
    """model_rosters, patient_charges and do_not_contact, which few deliver."""
    roster = rosters.with_columns(
        beneficiary_id=person_id(people, rosters["person"], rosters["from"]),
        tin=tin_of(world, rosters["practice"]),
    ).select(
        model="model",
        beneficiary_id="beneficiary_id",
        practice_tin="tin",
        aligned_from=date(pl.col("from")),
        aligned_through=date(pl.col("through")),
    )
    charge = charges.with_columns(
        beneficiary_id=person_id(people, charges["person"], charges["day"]),
        tin=tin_of(world, charges["practice"]),
    ).select(
        charge_id=pl.lit("R") + pl.col("number").cast(pl.String).str.zfill(13),
        beneficiary_id="beneficiary_id",
        practice_tin="tin",
        service_date=date(pl.col("day")),
        charged_usd="charged",
        collected_usd="charged",
        waived_usd=pl.lit(None, dtype=pl.Int64),
        waiver_reason=pl.lit(None, dtype=pl.String),
    )
    who = person_id(people, refusals["person"], refusals["day"])
    refusal = refusals.with_columns(beneficiary_id=who).select(
        request_id=pl.lit("N") + pl.col("beneficiary_id"),
        beneficiary_id="beneficiary_id",
        practice_tin=pl.lit(None, dtype=pl.String),
        since_date=date(pl.col("day")),
        until_date=pl.lit(None, dtype=pl.Date),
    )
    return {"model_rosters": roster, "patient_charges": charge, "do_not_contact": refusal}
