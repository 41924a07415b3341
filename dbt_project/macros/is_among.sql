{# Whether a word is one of the words of a text in which spaces stand between them. #}
{% macro is_among(word, words) -%}
concat(' ', {{ words }}, ' ') like concat('% ', {{ word }}, ' %')
{%- endmacro %}
