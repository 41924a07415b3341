"""Columns of the truth tables; `docs/simulation.md` says what each holds."""

from __future__ import annotations

import pyarrow as pa

LIST = pa.list_(pa.string())
SCHEMAS: dict[str, pa.Schema] = {
    "people": pa.schema(
        [
            ("beneficiary_id", pa.string()),
            ("race", pa.string()),
            ("is_dual", pa.bool_()),
            ("is_rural", pa.bool_()),
            ("is_south", pa.bool_()),
            ("deprivation_percentile", pa.int64()),
            ("age_mid_window", pa.float64()),
            ("latent_health", pa.float64()),
            ("frailty", pa.float64()),
            ("condition_count", pa.int64()),
            ("practice_tin", pa.string()),
            ("practitioner_npi", pa.string()),
        ]
    ),
    "conditions": pa.schema(
        [
            ("beneficiary_id", pa.string()),
            ("condition", pa.string()),
            ("onset_month", pa.date32()),
            ("is_held", pa.bool_()),
            ("is_coded", pa.bool_()),
        ]
    ),
    "episodes": pa.schema(
        [
            ("beneficiary_id", pa.string()),
            ("practice_tin", pa.string()),
            ("practitioner_npi", pa.string()),
            ("first_month", pa.date32()),
            ("last_month", pa.date32()),
            ("lane", pa.string()),
            ("is_own_practice", pa.bool_()),
            ("keeps_records", pa.bool_()),
            ("is_second_biller", pa.bool_()),
            ("planted_error", pa.string()),
        ]
    ),
    "ccm_months": pa.schema(
        [
            ("beneficiary_id", pa.string()),
            ("service_month", pa.date32()),
            ("practitioner_npi", pa.string()),
            ("practice_tin", pa.string()),
            ("lane", pa.string()),
            ("record_seconds", pa.int64()),
            ("keeps_records", pa.bool_()),
            ("is_billed", pa.bool_()),
            ("is_denied", pa.bool_()),
            ("base_units", pa.int64()),
            ("add_on_units", pa.int64()),
            ("expected_state", pa.string()),
            ("planted_error", pa.string()),
        ]
    ),
    "planted_errors": pa.schema(
        [
            ("error_id", pa.string()),
            ("rule_id", pa.string()),
            ("detail", pa.string()),
            ("beneficiary_id", pa.string()),
            ("service_month", pa.date32()),
            ("practitioner_npi", pa.string()),
            ("practice_tin", pa.string()),
            ("claim_line_ids", LIST),
            ("claim_ids", LIST),
            ("allowed_usd", pa.decimal128(12, 2)),
            ("paid_usd", pa.decimal128(12, 2)),
            ("collateral", LIST),
        ]
    ),
    "planted_findings": pa.schema(
        [
            ("error_id", pa.string()),
            ("rule_id", pa.string()),
            ("beneficiary_id", pa.string()),
            ("service_month", pa.date32()),
            ("practitioner_npi", pa.string()),
            ("is_planted", pa.bool_()),
        ]
    ),
    "planted_patterns": pa.schema([("rule_id", pa.string()), ("practice_tin", pa.string())]),
    "decoys": pa.schema(
        [
            ("claim_id", pa.string()),
            ("kind", pa.string()),
            ("beneficiary_id", pa.string()),
            ("service_month", pa.date32()),
            ("practitioner_npi", pa.string()),
        ]
    ),
    "prevented_events": pa.schema(
        [("beneficiary_id", pa.string()), ("service_month", pa.date32()), ("kind", pa.string())]
    ),
    "exposures": pa.schema(
        [
            ("beneficiary_id", pa.string()),
            ("first_served_month", pa.date32()),
            ("first_exposed_month", pa.date32()),
            ("last_exposed_month", pa.date32()),
            ("admission_ratio", pa.float64()),
            ("emergency_ratio", pa.float64()),
        ]
    ),
    "restatements": pa.schema(
        [
            ("table_name", pa.string()),
            ("kind", pa.string()),
            ("row_key", pa.string()),
            ("beneficiary_id", pa.string()),
            ("service_month", pa.date32()),
            ("received_date", pa.date32()),
        ]
    ),
    "planted_faults": pa.schema(
        [
            ("table_name", pa.string()),
            ("fault", pa.string()),
            ("row_key", pa.string()),
            ("is_held_back", pa.bool_()),
        ]
    ),
}
