"""ExplanationOfBenefit resources as claims, lines, diagnoses and changes of identifier."""

from __future__ import annotations

import duckdb

from pipelines.extracts.fhir_shapes import (
    CLAIM,
    PARSED,
    any_code,
    code,
    day,
    extension,
    identifier,
    padded,
    referred,
    unmasked,
)

EOB_TYPES = ("CARRIER", "DME", "OUTPATIENT", "INPATIENT", "SNF", "HHA", "HOSPICE")
NCH_TYPES = {
    "hha": ("10",),
    "snf": ("20", "30"),
    "outpatient": ("40",),
    "hospice": ("50",),
    "inpatient": ("60", "61", "62", "63", "64"),
    "carrier": ("71", "72"),
    "dme": ("81", "82"),
}
# Money of a line: the payer's variable first, then what CARIN and HL7 call it.
AMOUNTS = {
    "allowed_usd": ("line_alowd_chrg_amt", "eligible"),
    "paid_usd": ("line_nch_pmt_amt", "rev_cntr_pmt_amt_amt", "rev_cntr_prvdr_pmt_amt", "benefit"),
    "deductible_usd": ("line_bene_ptb_ddctbl_amt", "rev_cntr_cash_ddctbl_amt", "deductible"),
    "coinsurance_usd": ("line_coinsrnc_amt", "rev_cntr_coinsrnc_wge_adjstd_c", "coinsurance"),
}
# Who of the team that a line names rendered it: R4 says performing, CARIN rendering, STU3 primary.
RENDERING = ("performing", "rendering", "primary")
DIAGNOSIS_ROLES = {
    "principal": "principal",
    "admitting": "admitting",
    "externalcauseofinjury": "external",
    "external": "external",
    "patientreasonforvisit": "reason",
    "line": "line",  # listed only for lines to point to
}
IS_DRUG_EVENT = (
    "coalesce(list_has_any(list_transform(type.coding, lambda c: c.code), ['PDE', 'pharmacy']), false)"
)


def prepare(con: duckdb.DuckDBPyConnection) -> None:
    """Make the views `fhir_eobs` (claims that are read) and `fhir_drug_events` (those passed over)."""
    con.execute(f"""
        create or replace view fhir_drug_events as
        select source_file, source_row from {PARSED}
        where resource_type = '{CLAIM}' and fault is null
            and {IS_DRUG_EVENT}""")
    eob_type = code("type", "/eob-type")
    nch = code("type", "/nch_clm_type_cd")
    kind = code("type", "/claim-type", "/ex-claimtype")
    by_code = " ".join(
        f"when nch_code in ({', '.join(repr(item) for item in codes)}) then '{kind}'"
        for kind, codes in NCH_TYPES.items()
    )
    con.execute(f"""
        create or replace view fhir_eobs as
        select * exclude (eob_type),
               case when eob_type in {EOB_TYPES} then lower(eob_type)
                    when eob_type is not null then eob_type
                    when nch_code is not null then case {by_code} end
                    -- Other payers say no more than this.
                    when {kind} = 'professional' then 'carrier'
                    when {kind} = 'institutional' then {code("subType", "")} end as claim_type
        from (
            select *,
                   coalesce({identifier("identifier", "/clm_id")}, id) as claim_id,
                   {referred("patient.reference")} as beneficiary_id,
                   upper({eob_type}) as eob_type, {padded(nch, 2)} as nch_code,
                   coalesce(supportingInfo, information) as facts
            from {PARSED}
            where resource_type = '{CLAIM}' and fault is null
                and not {IS_DRUG_EVENT}
        )""")
    # Of most claims there is one statement; only the others are put in order.
    con.execute("""
        create or replace table fhir_repeated as
        select claim_id, stated_at,
               cast(dense_rank() over (partition by claim_id order by stated_at) as bigint) as claim_version
        from (
            select distinct claim_id, stated_at from fhir_eobs
            where claim_id in (select claim_id from fhir_eobs group by claim_id having count(*) > 1)
        )""")
    con.execute("""
        create or replace view fhir_statements as
        select eobs.*, coalesce(repeated.claim_version, 1) as claim_version
        from fhir_eobs as eobs
        left join fhir_repeated as repeated
            on eobs.claim_id = repeated.claim_id and eobs.stated_at = repeated.stated_at""")


def claims() -> str:
    """Select of claim headers. The payer sends what stands now, so an active claim is final."""
    organization = "list_filter(contained, lambda c: c.resourceType = 'Organization')[1].identifier"

    def organization_number(kind: str) -> str:
        return (
            f"list_filter({organization}, lambda i: list_contains({any_code('i.type')}, '{kind}'))[1].value"
        )

    def fact(*names: str) -> str:
        listed = ", ".join(f"'{name}'" for name in names)
        return f"list_filter(facts, lambda f: list_has_any({any_code('f.category')}, [{listed}]))[1]"

    def stay(end: str) -> str:
        return day(f'coalesce({fact("admissionperiod")}.timingPeriod."{end}", hospitalization."{end}")')

    denied_carrier = extension("extension", "carr_clm_pmt_dnl_cd")
    not_paid = extension("extension", "clm_mdcr_non_pmt_rsn_cd")
    classification = (
        f"coalesce({extension('extension', 'clm_srvc_clsfctn_type_cd')}, "
        f"{code('type', '/clm_srvc_clsfctn_type_cd')})"
    )
    facility_type = extension("facility.extension", "clm_fac_type_cd")
    bill = fact("typeofbill", "clm_freq_cd") + ".code.coding[1]"
    discharge_status = fact("discharge-status", "ptnt_dschrg_stus_cd") + ".code.coding[1].code"
    processed = fact("nch_wkly_proc_dt", "clmrecvddate") + ".timingDate"
    carrier_npi = extension("extension", "carr_clm_blg_npi_num", "valueIdentifier.value")
    ccn = f"""coalesce({organization_number("PRN")},
                       case when provider.identifier.system like '%/prvdr_num'
                            then provider.identifier.value end)"""
    npi = f"""coalesce({organization_number("npi")}, {carrier_npi},
                       case when organization.identifier.system like '%/us-npi'
                            then organization.identifier.value end)"""
    prior = f"list_filter(related, lambda r: list_contains({any_code('r.relationship')}, 'prior'))[1]"
    return f"""
        select claim_id, claim_version, {identifier("identifier", "/claim-group")} as claim_group_id,
               beneficiary_id, claim_type, nch_code as nch_claim_type_code,
               {day('billablePeriod."start"')} as from_date, {day('billablePeriod."end"')} as through_date,
               {stay("start")} as admission_date, {stay("end")} as discharge_date,
               {padded(discharge_status, 2)} as discharge_status_code,
               case when {bill}.system like '%/clm_freq_cd' or {bill}.code is null
                    then {facility_type} || {classification} || coalesce({bill}.code, '')
                    else {bill}.code end as bill_type_code,
               {padded(ccn, 6)} as facility_ccn,
               {unmasked(npi)} as billing_npi, {organization_number("tax")} as billing_tin,
               case when status in ('cancelled', 'entered-in-error') then 'cancellation'
                    when status = 'active' and (claim_version > 1 or {prior} is not null)
                        then 'replacement'
                    when status = 'active' then 'original' else status end as action,
               {prior}.reference.value as adjusted_claim_id,
               case when status = 'active' then 'true' end as is_final_action,
               {day(processed)} as processed_date,
               case when {denied_carrier} is not null then ({denied_carrier} = '0')::varchar
                    when {not_paid} is not null then 'true'
                    when claim_type not in ('carrier', 'dme') and payment is not null then 'false'
               end as is_denied,
               payment.amount.value as paid_usd,
               source_file, source_row
        from fhir_statements"""


def lines() -> str:
    """Select of claim lines."""
    npi = "list_filter(members, lambda m: list_contains({role}, '{name}'))[1]"
    rendering = ", ".join(npi.format(role=any_code("m.role"), name=name) for name in RENDERING)
    # The names of each amount are made out once; every column looks for its own among them.
    judged = (
        f"list_transform(line.adjudication, lambda a: {{'names': {any_code('a.category')}, "
        "'value': a.amount.value, 'reason': a.reason.coding[1].code})"
    )

    def amount(names: tuple[str, ...]) -> str:
        found = [
            f"list_filter(judged, lambda a: a.value is not null and list_contains(a.names, '{name}'))[1].value"
            for name in names
        ]
        return f"coalesce({', '.join(found)})"

    status = (
        f"upper(coalesce({extension('line.extension', 'line_prcsg_ind_cd')}, "
        "list_filter(judged, lambda a: list_contains(a.names, 'line_prcsg_ind_cd'))[1].reason))"
    )
    amounts = ", ".join(f"{amount(names)} as {column}" for column, names in AMOUNTS.items())
    modifier = code("m", "/hcpcs", "/hcpcs_cd", "/cpt")
    place = code("line.locationCodeableConcept", "/line_place_of_srvc_cd", "/Place_of_Service_Code_Set")
    product = "coalesce(line.productOrService, line.service)"
    tin = extension("line.extension", "tax_num", "valueIdentifier.value")
    return f"""
        select claim_id, claim_version, line.sequence as line_number,
               coalesce({day('line.servicedPeriod."start"')}, {day("line.servicedDate")}, claim_from)
                   as from_date,
               coalesce({day('line.servicedPeriod."end"')}, {day("line.servicedDate")}, claim_through)
                   as through_date,
               {code(product, "/hcpcs", "/hcpcs_cd", "/cpt", "/CPT")} as hcpcs_code,
               {unmasked("modifiers[1]", 3)} as modifier_1, {unmasked("modifiers[2]", 3)} as modifier_2,
               line.quantity.value as units,
               {padded(place, 2)} as place_of_service_code,
               {padded(code("line.revenue", "/rev_cntr", "/RevenueCodes"), 4)} as revenue_center_code,
               {unmasked("rendering.provider.identifier.value")} as rendering_npi,
               coalesce({tin}, {extension("line.extension", "tax_num")}) as billing_tin,
               {padded(code("rendering.qualification", "/prvdr_spclty"), 2)} as provider_specialty_code,
               {amounts},
               {status} as processing_indicator_code,
               ({status} not in ('A', 'R', 'S'))::varchar as is_denied,
               {extension("line.extension", "betos_cd")} as betos_code,
               source_file, source_row
        from (
            select *, coalesce({rendering}) as rendering, {judged} as judged,
                   list_filter(list_transform(line.modifier, lambda m: {modifier}),
                               lambda m: m is not null) as modifiers
            from (
                select *, list_filter(careTeam, lambda m: list_contains(
                              coalesce(line.careTeamSequence, line.careTeamLinkId), m.sequence)) as members
                from (
                    select claim_id, claim_version, careTeam, unnest(item) as line,
                           {day('billablePeriod."start"')} as claim_from,
                           {day('billablePeriod."end"')} as claim_through, source_file, source_row
                    from fhir_statements
                )
            )
        )"""


def diagnoses() -> str:
    """Select of the header's diagnoses and of those that each line points to.

    A claim has one principal diagnosis: the first that is called so; the others count as further ones.
    """
    roles = " ".join(
        f"when list_contains({any_code('kind')}, '{name}') then '{role}'"
        for name, role in DIAGNOSIS_ROLES.items()
    )
    icd = "list_filter({}.diagnosisCodeableConcept.coding, lambda c: c.system like '%/icd-%')[1]"
    version = "case when {0}.system like '%/icd-9%' then '9' when {0}.system like '%/icd-10%' then '10' end"
    said = icd.format("d")
    stated = f"""list_transform(diagnosis, lambda d: {{
        'sequence': d.sequence,
        'role': coalesce(list_filter(list_transform(d.type, lambda kind: case {roles} end),
                                     lambda role: role is not null)[1], 'other'),
        'code': {said}.code, 'version': {version.format(said)}}})"""
    # Header slots: the numbered list keeps its numbers; any other role is counted through.
    return f"""
        select claim_id, claim_version, '0' as line_number, slot.role as role, slot.position as position,
               slot.code as diagnosis_code, slot.version as icd_version, source_file, source_row
        from (
            select claim_id, claim_version, source_file, source_row,
                   unnest(list_transform(stated, lambda d, place: {{
                       'role': case when d.role = 'principal' and place > first_principal then 'other'
                                    else d.role end,
                       'position': case
                           when d.role = 'other' or (d.role = 'principal' and place > first_principal)
                               then d.sequence
                           else len(list_filter(stated[1:place], lambda e: e.role = d.role))::varchar end,
                       'code': d.code, 'version': d.version}})) as slot
            from (
                select *, list_position(list_transform(stated, lambda d: d.role), 'principal')
                              as first_principal
                from (
                    select claim_id, claim_version, source_file, source_row,
                           list_filter({stated}, lambda d: d.code is not null and d.role <> 'line') as stated
                    from fhir_statements
                )
            )
        )
        union all
        select claim_id, claim_version, line_number, 'line' as role, place::varchar as position,
               {icd.format("said")}.code as diagnosis_code,
               {version.format(icd.format("said"))} as icd_version, source_file, source_row
        from (
            select claim_id, claim_version, line_number, pointer.place as place, source_file, source_row,
                   list_filter(diagnosis, lambda d: d.sequence = pointer.sequence)[1] as said
            from (
                select claim_id, claim_version, diagnosis, line.sequence as line_number,
                       source_file, source_row,
                       unnest(list_transform(coalesce(line.diagnosisSequence, line.diagnosisLinkId),
                              lambda s, place: {{'sequence': s, 'place': place}})) as pointer
                from (
                    select claim_id, claim_version, diagnosis, unnest(item) as line,
                           source_file, source_row
                    from fhir_statements
                )
            )
        )
        where {icd.format("said")}.code is not null"""


def identifiers() -> str:
    """Select of person, Medicare number and place for the claims that carry the number."""
    number = (
        "list_filter(extension, lambda e: e.valueIdentifier.system like '%/us-mbi')[1].valueIdentifier.value"
    )
    return f"""
        select beneficiary_id, {number} as number, null as effective_date, null as obsolete_date,
               source_file, source_row
        from fhir_eobs"""
