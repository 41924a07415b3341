"""The story of a person-month as text: what a nurse or an auditor reads from top to bottom."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

Row = dict[str, Any]
WIDTH = 112
SHOWN_CLAIMS = 5
SIGN = {"pass": "yes", "fail": "NO", "cannot_assess": "?", "not_applicable": "-"}
RUN_OUT = {
    "complete": "claims of the month are complete",
    "provisional": "provisional: claims of the month are still to come, so what looks unbilled may only be unbilled so far",
    "cannot_assess": "whether all claims of the month have come cannot be told",
}
RULE_SIGN = {"pass": "clear", "fail": "FAIL", "cannot_assess": "?", "not_applicable": "-"}
NOT_COUNTED = {
    "other_programme": "recorded for another programme",
    "voided": "withdrawn",
    "after_death": "after death",
    "during_stay": "inside a hospital or nursing-facility stay",
}
SERVED_BY = {
    "billed": "billed care management",
    "recorded": "recorded care-management time",
    "attributed": "gave most primary-care visits of the year before",
    "nobody": "nobody: no bill, no recorded time, no primary-care visit in the year before",
}


def render(told: Row) -> str:
    """The story as lines of at most WIDTH characters where words allow."""
    lines: list[str] = []
    for part in (_who, _eligibility, _conditions, _care, _record, _bills, _capture, _rules, _findings):
        lines += [*part(told), ""]
    return "\n".join(lines).rstrip()


def _who(told: Row) -> Iterator[str]:
    person, run, cover = told["person"], told["run"], told["enrolment"]
    yield f"{person['beneficiary_id']}  {told['month']}"
    if person["given_id"] != person["beneficiary_id"]:
        yield f"  asked for as {person['given_id']}, a former identifier"
    if person["former_ids"]:
        yield f"  former identifiers: {', '.join(person['former_ids'])}"
    facts = [
        person["sex"] or "sex not stated",
        f"born {person['birth_date']} ({person['age']})" if person["birth_date"] else "birth date not stated",
        *([f"died {person['death_date']}"] if person["death_date"] else []),
    ]
    yield f"  {', '.join(facts)}"
    if cover is None:
        yield "  no enrolment is on file for this month"
    else:
        parts = [name for name, has in (("A", cover["has_part_a"]), ("B", cover["has_part_b"])) if has]
        plan = {True: "Medicare Advantage", False: "fee-for-service", None: "plan not stated"}
        yield (
            f"  Medicare {'Part ' + ' and '.join(parts) if parts else 'without Part A or B'},"
            f" {plan[cover['is_medicare_advantage']]}; dual status {cover['dual_status_code'] or 'not stated'}"
            f"{'; hospice elected' if cover['has_hospice_election'] else ''}"
        )
    yield (
        f"  as of {run['as_of'] or 'unknown'}, through {run['through'] or 'unknown'},"
        f" policy {run['policy_version'] or 'unknown'}"
    )


def _eligibility(told: Row) -> Iterator[str]:
    yield "ELIGIBLE?"
    conclusion = told["conclusion"]
    if conclusion is None:
        yield "  not a covered month of this person: no criterion was assessed"
        return
    answer = {True: "yes", False: "no", None: "cannot be assessed"}
    yield (
        f"  on claims: {answer[conclusion['screen_eligible']]};"
        f" with consent and plan documented: {answer[conclusion['documented_eligible']]}"
    )
    for row in told["criteria"]:
        yield from _wrapped(
            f"  {SIGN[row['status']]:<4}{_words(row['criterion']):<33}",
            f"{row['observed'] if row['observed'] is not None else 'not known'}  (needed: {row['required']})",
        )


def _conditions(told: Row) -> Iterator[str]:
    conclusion = told["conclusion"]
    yield "CHRONIC CONDITIONS when the month began"
    if conclusion is not None:
        yield f"  {conclusion['condition_count']} counted, by {conclusion['definition']} ({conclusion['counting_set']})"
    for row in told["conditions"]:
        note = "" if row["is_counted"] else "  (not counted)"
        yield f"  {row['condition']}{note}: since {row['start_date']}, first evidence {row['first_evidence_date']}"
        claims = row["evidence_claim_ids"] or ["none"]
        more = (
            f" and {len(claims) - SHOWN_CLAIMS} more (--json lists all)" if len(claims) > SHOWN_CLAIMS else ""
        )
        yield from _wrapped("      claims ", ", ".join(claims[:SHOWN_CLAIMS]) + more)
    for row in told["problems"]:
        since = f"since {row['recorded_date']}" if row["recorded_date"] else "without a date"
        stands = ", ".join(row["conditions"]) if row["conditions"] else "no condition of the definition"
        yield f"  on the problem list of {row['practice_tin']}: {row['diagnosis_code']} {since} ({stands})"


def _care(told: Row) -> Iterator[str]:
    yield "WHO CARES FOR THE PERSON"
    serving, attributed = told["serving"], told["attribution"]
    if serving is None:
        yield "  nobody was looked for: the month is not covered"
    elif serving["served_by"] == "nobody":
        yield f"  {SERVED_BY['nobody']}"
    else:
        yield f"  {_by(told, serving)} {SERVED_BY[serving['served_by']]}"
    if attributed is not None:
        yield from _wrapped(
            "  attributed to ",
            f"{_by(told, attributed)}: {attributed['visit_days']} visit day(s), {attributed['share']:.0%} of primary care"
            f" in the months before, last on {attributed['last_visit_date']}",
        )


def _record(told: Row) -> Iterator[str]:
    yield "TIME RECORDED"
    if not told["activities"]:
        yield "  none"
    for row in told["activities"]:
        reason = row["not_counted_reason"]
        counted = "counts" if row["is_counted"] else f"not counted: {NOT_COUNTED.get(reason, _words(reason))}"
        role = _words(row["performer_role"] or "role unknown")
        level = f", decision making {row['decision_making_level']}" if row["decision_making_level"] else ""
        yield from _wrapped(
            f"  {row['started_at'][:16]}  {_clock(row['seconds']):>6}  ",
            f"{_words(row['activity'] or 'activity')} by {row['staff_credential'] or 'credential unknown'} ({role})"
            f" for {row['practitioner_npi']}{level}: {counted}",
        )
    for row in told["record"]:
        yield from _wrapped(
            "  = ",
            f"{row['practitioner_npi']}: {row['total_minutes']} whole minutes"
            f" ({row['staff_minutes']} staff, {row['practitioner_minutes']} practitioner;"
            f" {row['total_seconds']} s counted, {row['excluded_seconds']} s excluded)"
            + (f", decision making {row['decision_making_level']}" if row["decision_making_level"] else ""),
        )
    previous = None
    for row in told["readings"]:
        reading = (row["practitioner_npi"], row["reading"])
        if reading != previous:
            mark = "  (preferred)" if row["is_preferred"] else ""
            yield f"  supports, read as {_words(row['reading'])} ({row['minutes']} min){mark}:"
            previous = reading
        yield f"      {row['hcpcs_code']} x {row['units']}  {_usd(row['fee_schedule_usd'])}"
    if told["record"] and not told["readings"]:
        yield "  supports no code"


def _bills(told: Row) -> Iterator[str]:
    yield "CARE-MANAGEMENT LINES BILLED"
    if not told["lines"] and not told["superseded_lines"]:
        yield "  none"
    for row in told["lines"]:
        share = (row["deductible_usd"] or 0) + (row["coinsurance_usd"] or 0)
        outcome = "DENIED" if row["is_denied"] else f"paid {_usd(row['paid_usd'])}, patient {_usd(share)}"
        valid = "" if row["is_in_force"] else "; code not payable that day"
        yield from _wrapped(
            f"  {row['from_date']}  {row['hcpcs_code']} x {row['units']:g}  ",
            f"{outcome}; fee schedule {_usd(row['fee_schedule_usd'])} ({row['setting']}){valid};"
            f" {_by(told, row)}; line {row['claim_line_id']}",
        )
        if row["expected_allowed_usd"] is not None:
            place = row["pricing_locality"] or row["price_basis"]
            doubts = f" (estimated: {', '.join(map(_words, row['estimated_because']))})"
            yield from _wrapped(
                "      expected ",
                f"{_usd(row['expected_allowed_usd'])} by the price of {place}: Medicare {_usd(row['expected_medicare_usd'])},"
                f" patient {_usd(row['expected_cost_share_usd'])}{doubts if row['estimated_because'] else ''}",
            )
    for row in told["superseded_lines"]:
        yield from _wrapped(
            f"  {row['from_date']}  {row['hcpcs_code']} x {row['units']:g}  ",
            f"no longer stands: {_words(row['not_final_reason'])}; line {row['claim_line_id']}",
        )


def _capture(told: Row) -> Iterator[str]:
    yield "CAPTURE"
    row = told["capture"]
    if row is None:
        yield "  the month is not covered, so it has no state"
        return
    yield f"  {_words(row['state'])}"
    yield (
        f"  billed {', '.join(row['billed_codes']) or 'nothing'} ({_usd(row['billed_usd'])});"
        f" record supports {', '.join(row['supported_codes']) or 'nothing'} ({_usd(row['supported_usd'])});"
        f" gap {_usd(row['gap_usd'])}; paid {_usd(row['paid_usd'])}"
    )
    if row["potential_usd"] is not None:
        yield (
            f"  one month of service would be worth {_usd(row['potential_usd'])} (estimated;"
            f" {_usd(row['potential_low_usd'])} in a facility, up to {_usd(row['potential_high_usd'])} with every block)"
        )
    if row["supported_low_usd"] != row["supported_high_usd"]:
        low, high = _usd(row["supported_low_usd"]), _usd(row["supported_high_usd"])
        yield f"  by its legal readings and the place, the record is worth {low} to {high}"
    yield f"  dollars are {'national' if row['price_region'] == 'national' else 'those of locality ' + row['price_region']}"
    yield f"  {RUN_OUT[row['run_out_state']]}"


def _rules(told: Row) -> Iterator[str]:
    yield "RULES  (clear: nothing wrong found; ?: the data do not say; -: nothing in the month that the rule is about)"
    if not told["rules"]:
        yield "  no care management was paid this month, so no rule applies"
    practitioner = None
    for row in told["rules"]:
        if row["practitioner_npi"] != practitioner:
            practitioner = row["practitioner_npi"]
            yield f"  practitioner {_practitioner(told, practitioner)}"
        yield from _wrapped(f"  {RULE_SIGN[row['status']]:<7}{row['rule_id']}  ", row["title"])
        if row["status"] != "not_applicable":
            found = row["observed"] or "nothing to go by"
            yield from _wrapped("              ", f"found: {found}; needed: {row['required']}")
        if row["status"] in ("fail", "cannot_assess"):
            yield from _wrapped("              source: ", row["citation"])


def _findings(told: Row) -> Iterator[str]:
    yield "FINDINGS"
    if not told["findings"]:
        yield "  none"
    for row in told["findings"]:
        yield (
            f"  {row['finding_id']}  {row['rule_id']}  {_words(row['severity'])}, {_words(row['certainty'])}:"
            f" {row['review_state'].upper()}"
        )
        yield from _wrapped(
            "      ",
            f"at risk: {_usd(row['amount_usd'])} Medicare, {_usd(row['cost_share_usd'])} patient;"
            f" lines {', '.join(row['claim_line_ids'])}; first seen as of {row['first_seen_as_of']}"
            + (f", back as of {row['reopened_as_of']}" if row["reopened_as_of"] else ""),
        )
        if row["review_state"] == "closed":
            yield from _wrapped(
                "      ",
                f"closed as of {row['closed_as_of']}: {_words(row['closed_reason'])} ({row['closed_observed']})"
                + (f"; goes on as {row['continued_by']}" if row["continued_by"] else ""),
            )
        for one in row["reviews"]:
            yield from _wrapped(f"      {one['at'][:16]}  {one['state']} by {one['by']}: ", one["note"])
        if row["return_by"] and row["review_state"] != "closed":
            yield from _wrapped(
                "      ",
                f"{row['practice_tin'] or 'the practice'} reports and returns by {row['return_by']}, counted from the"
                " review that confirmed it (information, not advice)",
            )


def _by(told: Row, row: Row) -> str:
    name = told["names"]["practices"].get(row["practice_tin"])
    practice = f"{row['practice_tin'] or 'practice unknown'}{f' ({name})' if name else ''}"
    return f"{_practitioner(told, row['practitioner_npi'])} of {practice}"


def _practitioner(told: Row, npi: str | None) -> str:
    if npi is None:
        return "practitioner unknown"
    name = told["names"]["practitioners"].get(npi)
    return f"{npi} ({name})" if name else npi


def _wrapped(first: str, text: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=" " * len(first),
        break_long_words=False,
        break_on_hyphens=False,
    ) or [first.rstrip()]


def _words(name: str) -> str:
    return name.replace("_", " ")


def _clock(seconds: int) -> str:
    return f"{seconds // 60}:{seconds % 60:02d}"


def _usd(amount: float | None) -> str:
    if amount is None:
        return "no price"
    return f"{'-' if amount < 0 else ''}${abs(amount):,.2f}"
