-- Which of the most important steps of the last month's funnel may be shown.
{{ show_chain(ref('int_month_steps'), 1) }}
