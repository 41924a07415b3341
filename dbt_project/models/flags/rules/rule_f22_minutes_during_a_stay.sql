-- F22: a bill stands only with minutes of days inside a hospital or skilled-nursing stay.
{{ rule_on_borrowed_minutes(
    rule_id='F22',
    reason='during_stay',
    required='minutes enough without those of days inside a stay'
) }}
