-- What this run is, for the ledger: its window, and which policy and which rules it used.
select
    cast('{{ var("as_of") }}' as date) as as_of,
    cast('{{ var("through_month") }}' as date) as through_month,
    '{{ project_version("seed") }}' as policy_version,
    '{{ project_version("model") }}' as rules_version
