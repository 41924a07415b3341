-- F23: a complex code stands only with staff minutes of a day on which the practitioner saw the person.
{{ rule_on_borrowed_minutes(
    rule_id='F23',
    reason='visit_day',
    required='minutes enough without those of the day of a visit',
    is_certain=false,
    of_lines="lines.lane in (
        select readings.lane
        from " ~ ref('billable_readings') ~ " as readings
        where readings.needs_complex
    )"
) }}
