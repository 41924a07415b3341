-- F33: a bill stands only with the practitioner's minutes of the day for which the planning code was paid.
{{ rule_on_borrowed_minutes(
    rule_id='F33',
    reason='planning_day',
    required='minutes enough without those of the planning day',
    is_certain=false
) }}
