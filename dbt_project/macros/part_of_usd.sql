{# `part` of `whole` of an amount, to the nearest cent and half a cent up. In whole cents, as the engines' own quotients round differently:
   one divides doubles, in which half a cent can be a little less, the other decimals. #}
{% macro part_of_usd(usd, part, whole) -%}
cast(floor((cast({{ usd }} * 200 as double) * {{ part }} + {{ whole }}) / (2 * {{ whole }})) / 100 as decimal(14, 2))
{%- endmacro %}
