{# The price of a code on a day on the terms of a practitioner and practice: that of the locality where its indices are known,
   else the national one by the practitioner's factor, else the national one of everybody (alias `prices`).

   `local_price_joins` joins a query that has columns practice_tin, practitioner_npi and hcpcs_code under `line`;
   `local_price` then reads one of the two amounts, `paid_price` the share of it that the practitioner's credential is paid
   (the whole of it where the credential is not known). #}
{% macro local_price_joins(line, on_date) -%}
left join {{ ref('fct_billing_terms') }} as terms
    on {{ line }}.practice_tin = terms.practice_tin and {{ line }}.practitioner_npi = terms.practitioner_npi
left join {{ ref('fct_local_prices') }} as by_locality
    on
        terms.pricing_locality = by_locality.price_region
        and terms.participation = by_locality.participation
        and {{ line }}.hcpcs_code = by_locality.hcpcs_code
        and {{ in_force('by_locality', on_date) }}
left join {{ ref('fct_local_prices') }} as by_factor
    on
        by_factor.price_region = 'national'
        and terms.participation = by_factor.participation
        and {{ line }}.hcpcs_code = by_factor.hcpcs_code
        and {{ in_force('by_factor', on_date) }}
{{ paid_share_join('terms', on_date) }}
{%- endmacro %}

{# The share of the schedule by credential (alias `shares`); clinics are paid their own rates whoever works. #}
{% macro paid_share_join(terms, on_date) -%}
left join {{ ref('practitioner_payment_shares') }} as shares
    on
        {{ terms }}.credential = shares.credential
        and coalesce({{ terms }}.practice_type, 'unknown') not in ('rhc', 'fqhc')
        and {{ in_force('shares', on_date) }}
{%- endmacro %}

{% macro paid_share(price) -%}
cast(round({{ price }} * coalesce(shares.percent_of_schedule, 100) / 100.0, 2) as decimal(12, 2))
{%- endmacro %}

{% macro paid_price(amount) -%}
{{ paid_share(local_price(amount)) }}
{%- endmacro %}

{% macro local_price(amount) -%}
coalesce(by_locality.{{ amount }}, by_factor.{{ amount }}, prices.{{ amount }})
{%- endmacro %}
