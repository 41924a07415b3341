{# Claim lines with what their claim header decides, for the claims (alias `claims`) that meet the predicate. #}
{% macro claim_lines_of(predicate) %}
select
    concat(lines.claim_id, '-', cast(lines.line_number as {{ dbt.type_string() }})) as claim_line_id,
    lines.claim_id,
    lines.claim_version,
    lines.batch_id,
    lines.line_number,
    claims.beneficiary_id,
    claims.claim_type,
    cast({{ dbt.date_trunc('month', 'lines.from_date') }} as date) as service_month,
    lines.from_date,
    coalesce(lines.through_date, lines.from_date) as through_date,
    lines.hcpcs_code,
    lines.modifier_1,
    lines.modifier_2,
    coalesce(lines.units, 1) as units,
    lines.place_of_service_code,
    lines.revenue_center_code,
    coalesce(lines.rendering_npi, claims.billing_npi) as rendering_npi,
    coalesce(lines.billing_tin, claims.billing_tin, claims.facility_ccn) as practice_tin,
    lines.provider_specialty_code,
    lines.allowed_usd,
    lines.paid_usd,
    lines.deductible_usd,
    lines.coinsurance_usd,
    (claims.is_denied or coalesce(lines.is_denied, false)) as is_denied,
    lines.betos_code,
    lines.pricing_locality,
    claims.processed_date,
    claims.not_final_reason
from {{ ref('stg_landing__claim_lines') }} as lines
inner join {{ ref('core_claims') }} as claims
    on
        lines.claim_id = claims.claim_id
        and lines.claim_version = claims.claim_version
        and lines.batch_id = claims.batch_id
where {{ predicate }}
{% endmacro %}
