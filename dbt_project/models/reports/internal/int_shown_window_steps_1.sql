-- Which of the most important steps of the whole run's funnel may be shown.
{{ show_chain(ref('int_window_steps'), 1) }}
