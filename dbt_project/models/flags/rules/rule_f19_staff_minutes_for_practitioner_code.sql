-- F19: a personally performed code stands only with minutes that clinical staff worked.
{{ rule_on_borrowed_minutes(
    rule_id='F19',
    reason='staff_time',
    required='minutes enough without those that staff worked',
    of_lines="lines.performed_by = 'practitioner'"
) }}
