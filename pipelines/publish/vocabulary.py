"""What the codes of the report tables are called on pages, and what they mean."""

from __future__ import annotations

# Every capture state: its name on the pages, and what it means.
STATES = {
    "not_eligible": (
        "Not eligible",
        "At least one criterion of eligibility fails on claims, and nobody billed.",
    ),
    "eligibility_not_assessable": (
        "Eligibility cannot be assessed",
        "Nothing fails, but too little is visible to say (most often: too few months of claims).",
    ),
    "eligible_not_served": (
        "Eligible, served by nobody",
        "Eligible on claims; no care-management time recorded and no bill.",
    ),
    "served_below_threshold": (
        "Served, below the first threshold",
        "Time was recorded, but fewer minutes than the first code needs.",
    ),
    "billable_not_billed": (
        "Supported, not billed",
        "The record supports a code and nobody billed the month.",
    ),
    "billed_below_record": (
        "Billed below the record",
        "Billed, but the record supports more units than were billed.",
    ),
    "billed_as_supported": ("Billed as supported", "Billed exactly what the record supports."),
    "billed_beyond_record": (
        "Billed beyond the record",
        "Billed more units, or another code, than the record supports.",
    ),
    "billed_record_missing": (
        "Billed, no record",
        "Billed, and no care-management time is on record for the practitioner and month.",
    ),
}
STATUSES = {
    "fail": "Fail",
    "pass": "Pass",
    "cannot_assess": "Cannot assess",
    "not_applicable": "Not applicable",
}
# A criterion of eligibility that fails, or that the data cannot decide, as the answer to "why not?".
FAILED = {
    "programme_in_force": "Medicare did not pay for care management in the month",
    "part_b": "Not enrolled in Part B",
    "fee_for_service": "In Medicare Advantage, not fee-for-service",
    "alive": "Died before the month",
    "two_conditions": "Fewer chronic conditions on claims than needed",
    "not_institutionalised_all_month": "In hospital or a nursing facility all month",
    "no_esrd_capitation": "Monthly dialysis care is billed instead",
    "no_hospice_conflict": "Hospice elected",
    "initiating_visit": "No initiating visit with the practice in the look-back",
    "consent": "No consent on record",
    "care_plan": "No current care plan on record",
}
UNDECIDED = {
    "programme_in_force": "Whether Medicare paid for care management in the month",
    "part_b": "Enrolment in Part B is not stated",
    "fee_for_service": "Whether fee-for-service or Medicare Advantage is not stated",
    "alive": "Whether alive is not stated",
    "two_conditions": "Too few months of claims to count chronic conditions",
    "not_institutionalised_all_month": "Stays cannot be told",
    "no_esrd_capitation": "Dialysis care cannot be told",
    "no_hospice_conflict": "Hospice election is not stated",
    "initiating_visit": "Initiating visit cannot be told: no practice, or too few months of claims",
    "consent": "The practice delivered no consents",
    "care_plan": "The practice delivered no care plans",
}
PROPOSALS = {
    "ready": "Ready to be billed",
    "to_be_checked": "To be checked first",
    "held_back": "Held back: a rule objects",
}
RUN_OUT = {
    "complete": "Complete",
    "provisional": "Provisional: claims still to come",
    "cannot_assess": "Cannot assess",
}
