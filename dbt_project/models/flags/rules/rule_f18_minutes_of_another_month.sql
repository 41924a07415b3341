-- F18: a bill stands only with minutes of the month before or after.
{{ rule_on_borrowed_minutes(
    rule_id='F18',
    reason='other_month',
    required='minutes enough without those of another month'
) }}
