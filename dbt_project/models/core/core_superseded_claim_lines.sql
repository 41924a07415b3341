-- Lines of claim statements that are not final action: kept for audit, read by nothing that counts.
{{ config(materialized='view') }}
{{ claim_lines_of('not claims.is_final') }}
