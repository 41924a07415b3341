"""One person-month out of the warehouse, with everything that any answer about it rests on.

Nothing is computed here that the warehouse did not decide: this module looks up and puts side by side, so that a nurse or an
auditor reads the same facts that the tables hold. `docs/explain.md` describes the result; `SCHEMA` names its version.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb

from pipelines.built import open_built
from pipelines.review import reviews
from pipelines.settings import Settings

SCHEMA = "ccm-explain/1"
Row = dict[str, Any]
# What a complete warehouse of this version holds; findings are made last.
READ = (
    *(
        "core.core_beneficiary_ids",
        "marts.capture_months",
        "marts.fct_line_payments",
        "marts.fct_care_activities",
        "marts.fct_month_conditions",
        "marts.fct_interval_claims",
        "marts.fct_problem_conditions",
    ),
    *("policy.overpayment_deadlines", "flags.rule_results", "flags.findings"),
)


class CannotExplain(Exception):
    """Nothing can be told; str() is one line that does not repeat the identifier."""


@dataclass(frozen=True)
class Asked:
    """Whose month is told: the current identifier, the one that was given, and the month's first day."""

    beneficiary_id: str
    given_id: str
    month: date


def story(settings: Settings, given_id: str, month: date) -> Row:
    """Everything the warehouse knows about the month of the person with this identifier, former ones included.

    The value holds text, numbers, booleans, None, lists and dicts only; dates are ISO text, dollars numbers with cents.
    Raises CannotExplain where nobody has the identifier or the month lies outside what was built, and NoWarehouse.
    """
    with open_built(settings, *READ) as con:
        asked = _find(con, given_id, month)
        told = {
            "schema": SCHEMA,
            "run": _run(settings),
            "month": f"{month:%Y-%m}",
            "person": _person(con, asked),
            "enrolment": _one(con, _ENROLMENT, asked),
            "conclusion": _one(con, _CONCLUSION, asked),
            "criteria": _many(con, _CRITERIA, asked),
            "conditions": _many(con, _CONDITIONS, asked),
            "problems": _many(con, _PROBLEMS, asked),
            "serving": _one(con, _SERVING, asked),
            "attribution": _one(con, _ATTRIBUTION, asked),
            "activities": _many(con, _ACTIVITIES, asked),
            "record": _many(con, _RECORD, asked),
            "readings": _many(con, _READINGS, asked),
            "lines": _many(con, _LINES, asked),
            "superseded_lines": _many(con, _SUPERSEDED, asked),
            "capture": _one(con, _CAPTURE, asked),
            "rules": _many(con, _RULES, asked),
            "findings": _with_reviews(con, settings, _many(con, _FINDINGS, asked)),
        }
        told["names"] = _names(con, told)
    return told


def as_json(told: Row) -> str:
    """The story as JSON text, two-space indented, keys in the order of the telling."""
    return json.dumps(told, indent=2, ensure_ascii=False)


def _find(con: duckdb.DuckDBPyConnection, given_id: str, month: date) -> Asked:
    found = con.execute(
        "select beneficiary_id from core.core_beneficiary_ids where delivered_id = ?", [given_id]
    ).fetchone()
    if found is None:
        raise CannotExplain("nobody in the warehouse has this beneficiary identifier, now or formerly")
    first, last = con.execute(
        "select min(service_month), max(service_month) from core.core_enrollment_months"
    ).fetchone() or (None, None)
    if first is None or not first <= month <= last:
        window = f"it covers {first:%Y-%m} to {last:%Y-%m}" if first else "it covers no month"
        raise CannotExplain(f"{month:%Y-%m} lies outside the warehouse: {window}")
    return Asked(beneficiary_id=found[0], given_id=given_id, month=month)


def _run(settings: Settings) -> Row:
    """What the record of the run that built the warehouse says; nulls where it is missing."""
    of_it = settings.published_record if settings.published_record.exists() else settings.run_record
    record: Row = json.loads(of_it.read_text()) if of_it.exists() else {}
    return {name: record.get(name) for name in ("as_of", "through", "policy_version")}


def _person(con: duckdb.DuckDBPyConnection, asked: Asked) -> Row:
    former = con.execute(
        "select delivered_id from core.core_beneficiary_ids"
        " where beneficiary_id = $id and delivered_id <> $id order by 1",
        {"id": asked.beneficiary_id},
    ).fetchall()
    known = _one(
        con,
        "select birth_date, death_date, sex from core.core_beneficiaries where beneficiary_id = $id",
        asked,
    ) or {"birth_date": None, "death_date": None, "sex": None}
    born = date.fromisoformat(known["birth_date"]) if known["birth_date"] else None
    age = (
        asked.month.year - born.year - (asked.month < born.replace(year=asked.month.year, day=1))
        if born
        else None
    )
    return {
        "beneficiary_id": asked.beneficiary_id,
        "given_id": asked.given_id,
        "former_ids": [one for (one,) in former],
        **known,
        "age": age,
    }


def _with_reviews(con: duckdb.DuckDBPyConnection, settings: Settings, findings: list[Row]) -> list[Row]:
    """Findings with their log of reviews; one made since the warehouse was built counts at once."""
    log = reviews(settings, [row["finding_id"] for row in findings]) if findings else []
    for row in findings:
        own = [one for one in log if one.finding_id == row["finding_id"]]
        if own and own[-1].number > (row["review_number"] or 0):
            last = own[-1]
            row |= {
                "reviewed_as": last.state,
                "review_number": last.number,
                "identified_on": None,
                "return_by": None,
            }
            if row["review_state"] != "closed":
                row["review_state"] = last.state
            if last.state == "confirmed":
                day = last.at.date()
                due = con.execute(_RETURN_BY, {"day": day}).fetchone()
                row |= {"identified_on": _plain(day), "return_by": _plain(due[0]) if due else None}
        row["reviews"] = [
            {
                "number": one.number,
                "state": one.state,
                "note": one.note,
                "by": one.by,
                "at": _plain(one.at.replace(microsecond=0)),
            }
            for one in own
        ]
    return findings


def _names(con: duckdb.DuckDBPyConnection, told: Row) -> Row:
    """Names of the practitioners and practices that the story mentions, by number; those without a name are left out."""
    npis, tins = set(_values(told, "practitioner_npi")), set(_values(told, "practice_tin"))
    tins |= set(_values(told, "practice_id"))
    practitioners = con.execute(
        "select npi, min(concat_ws(', ', provider_name, credential)) from core.core_providers"
        " where list_contains($npis, npi) group by npi order by npi",
        {"npis": sorted(npis)},
    ).fetchall()
    practices = con.execute(
        "select practice_tin, min(practice_name) from core.core_practices"
        " where list_contains($tins, practice_tin) group by practice_tin order by practice_tin",
        {"tins": sorted(tins)},
    ).fetchall()
    return {
        "practitioners": {npi: name for npi, name in practitioners if name},
        "practices": {tin: name for tin, name in practices if name},
    }


def _values(told: Any, key: str) -> Iterable[str]:
    if isinstance(told, dict):
        for name, value in told.items():
            if name == key and value is not None:
                yield value
            else:
                yield from _values(value, key)
    elif isinstance(told, list):
        for item in told:
            yield from _values(item, key)


def _many(con: duckdb.DuckDBPyConnection, sql: str, asked: Asked) -> list[Row]:
    wanted = {"id": asked.beneficiary_id, "month": asked.month}
    result = con.execute(sql, {name: value for name, value in wanted.items() if f"${name}" in sql})
    names = [column[0] for column in result.description or ()]
    return [
        {name: _plain(value) for name, value in zip(names, row, strict=True)} for row in result.fetchall()
    ]


def _one(con: duckdb.DuckDBPyConnection, sql: str, asked: Asked) -> Row | None:
    rows = _many(con, sql, asked)
    return rows[0] if rows else None


def _plain(value: Any) -> Any:
    """A warehouse value as JSON can hold it."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    return [_plain(one) for one in value] if isinstance(value, list) else value


_OF_MONTH = "where beneficiary_id = $id and service_month = $month"
_ENROLMENT = f"""
    select has_part_a, has_part_b, is_medicare_advantage, dual_status_code, medicare_status_code, has_hospice_election
    from core.core_enrollment_months {_OF_MONTH}"""
_CONCLUSION = f"""
    select screen_eligible, documented_eligible, condition_count, conditions_required, definition, counting_set,
        failed_criteria, cannot_assess, observed_months
    from marts.eligibility_months {_OF_MONTH}"""
_CRITERIA = f"""
    select criterion, status, observed, required
    from marts.fct_eligibility_criteria {_OF_MONTH} order by criterion_order"""
_CONDITIONS = f"""
    select held.condition, held.is_counted, held.start_date, held.end_date, held.first_evidence_date, claims.evidence_claim_ids
    from (select * from marts.fct_month_conditions {_OF_MONTH}) as held
    left join (select * from marts.fct_interval_claims where beneficiary_id = $id) as claims
        using (beneficiary_id, definition, condition, start_date)
    order by held.is_counted desc, held.condition, held.start_date"""
_PROBLEMS = """
    select problems.diagnosis_code, problems.icd_version, problems.recorded_date, problems.resolved_date, problems.practice_tin,
        array_agg(named.condition order by named.condition) filter (where named.condition is not null) as conditions
    from core.core_problems as problems
    left join (
        select named.problem_id, named.condition
        from marts.fct_problem_conditions as named
        inner join marts.fct_condition_months as months
            on named.beneficiary_id = months.beneficiary_id and named.definition = months.definition
        where months.service_month = $month
    ) as named on problems.problem_id = named.problem_id
    where problems.beneficiary_id = $id
        and coalesce(problems.recorded_date < $month + interval 1 month, true)
        and coalesce(problems.resolved_date >= $month, true)
    group by all order by problems.diagnosis_code, problems.recorded_date, problems.practice_tin"""
_SERVING = f"""
    select served_by, practitioner_npi, practice_tin from marts.fct_serving_months {_OF_MONTH}"""
_ATTRIBUTION = f"""
    select practitioner_npi, practice_tin, visit_days, round(share, 4) as share, last_visit_date
    from marts.fct_attribution_months {_OF_MONTH}"""
_ACTIVITIES = f"""
    select activity_id, started_at, seconds, activity, programme, staff_id, staff_credential, performer_role,
        decision_making_level, practitioner_npi, practice_tin, not_counted_reason is null as is_counted, not_counted_reason
    from marts.fct_care_activities {_OF_MONTH} order by started_at, activity_id"""
_RECORD = f"""
    select practitioner_npi, practice_tin, staff_minutes, practitioner_minutes, total_minutes, total_seconds,
        unknown_role_seconds, excluded_seconds, first_counted_date, last_counted_date, decision_making_level, is_complex
    from marts.fct_record_months {_OF_MONTH} order by practitioner_npi"""
_READINGS = f"""
    select practitioner_npi, reading, lane, minutes, hcpcs_code, code_role, units, unit_nonfacility_usd, unit_facility_usd,
        fee_schedule_usd, is_preferred
    from marts.fct_billable_readings {_OF_MONTH}
    order by practitioner_npi, is_preferred desc, reading, code_role desc, hcpcs_code"""
_LINES = f"""
    select lines.claim_line_id, claim_id, claim_type, lines.from_date, lines.hcpcs_code, family, code_role, lines.units,
        place_of_service_code, lines.setting, lines.practitioner_npi, lines.practice_tin, lines.is_denied, is_in_force,
        lines.allowed_usd, lines.paid_usd, deductible_usd, coinsurance_usd, fee_schedule_usd,
        coalesce(price_basis, 'none') as price_basis, payments.pricing_locality, expected_allowed_usd,
        expected_medicare_usd, expected_cost_share_usd, coalesce(estimated_because, []) as estimated_because, processed_date
    from (select * from marts.fct_billed_lines {_OF_MONTH}) as lines
    left join marts.fct_line_payments as payments on lines.claim_line_id = payments.claim_line_id
    order by lines.from_date, lines.claim_line_id"""
_SUPERSEDED = f"""
    select claim_line_id, claim_id, from_date, hcpcs_code, units, rendering_npi as practitioner_npi, paid_usd, not_final_reason
    from core.core_superseded_claim_lines
    {_OF_MONTH} and hcpcs_code in (select hcpcs_code from policy.care_management_codes)
    order by from_date, claim_line_id, processed_date"""
_CAPTURE = f"""
    select state, practice_id, practitioner_npi, staff_minutes, practitioner_minutes, billed_codes, supported_codes,
        supported_reading, billed_usd, supported_usd, supported_low_usd, supported_high_usd, gap_usd, potential_usd,
        potential_low_usd, potential_high_usd, paid_usd, price_region, is_estimated, has_coverage_row, run_out_state,
        completion_factor
    from marts.capture_months {_OF_MONTH}"""
_RULES = """
    select results.rule_id, catalogue.title, results.practitioner_npi, results.status, results.observed, results.required,
        catalogue.severity, catalogue.certainty, results.is_certain, results.evidence_claim_line_ids as claim_line_ids,
        results.related_claim_line_ids, results.amount_usd, results.cost_share_usd, catalogue.citation
    from flags.rule_results as results
    inner join flags.rule_catalogue as catalogue on results.rule_id = catalogue.rule_id
    where results.beneficiary_id = $id and results.service_month = $month
    order by results.practitioner_npi, results.rule_id"""
_FINDINGS = f"""
    select finding_id, rule_id, severity, certainty, practitioner_npi, practice_tin, observed, required, claim_line_ids,
        related_claim_line_ids, amount_usd, cost_share_usd, citation, review_state, reviewed_as, review_number, identified_on,
        return_by, first_seen_as_of, last_seen_as_of, reopened_as_of, closed_as_of, closed_reason, closed_observed, continued_by
    from flags.findings {_OF_MONTH} order by closed_as_of nulls first, rule_id, finding_id"""
_RETURN_BY = """
    select cast($day + to_days(days_to_return) as date) from policy.overpayment_deadlines
    where $day between effective_from and effective_to"""
