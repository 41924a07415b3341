"""The contract's practices, providers, price indices and measures of areas."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import polars as pl

from pipelines.simulate.book import text
from pipelines.simulate.clinics import clinic_number
from pipelines.simulate.render import npi_of, tin_of
from pipelines.simulate.world import PHYSICIAN, PRACTICE_TYPES, World

LOCALITY = "9990001"  # of a made-up contractor


def world_tables(parameters: dict[str, Any], world: World) -> dict[str, pl.DataFrame]:
    """practices, providers, locality_gpci and area_measures."""
    places = parameters["geography"]
    count = world.practices
    clinic = world.practice_type
    kind = ["Primary Care", "Specialists", "Hospital Medicine"]
    index = np.arange(count)
    practices = pl.DataFrame(
        {
            "practice_tin": tin_of(world, pl.Series(index)),
            "practice_name": pl.Series(
                [f"{kind[k]} {i + 1:05d}" for i, k in enumerate(world.practice_kind.tolist())]
            ),
            "facility_ccn": pl.Series(np.where(clinic == PHYSICIAN, -1, clinic_number(world, index))),
            "practice_type": text(PRACTICE_TYPES, clinic),
            "state_code": text([p["state"] for p in places], world.practice_place),
            "zip_code": text([p["zips"][0] for p in places], world.practice_place),
            "aco_id": pl.Series(world.practice_aco),
            "pricing_locality": pl.repeat(LOCALITY, count, dtype=pl.String, eager=True),
        }
    ).with_columns(
        facility_ccn=pl.when(pl.col("facility_ccn") > 0).then(pl.col("facility_ccn").cast(pl.String)),
        aco_id=pl.when(pl.col("aco_id") > 0).then(
            pl.lit("A9") + pl.col("aco_id").cast(pl.String).str.zfill(3)
        ),
    )
    heads = np.arange(len(world.practitioner_npi))
    specialty = pl.Series(world.practitioner_specialty.tolist())
    credential = np.where(world.practitioner_is_nurse, 1, 0) + (world.practitioner_specialty == "97")
    providers = pl.DataFrame(
        {
            "npi": npi_of(world, pl.Series(heads)),
            "practice_tin": tin_of(world, pl.Series(world.practitioner_practice)),
            "provider_name": pl.Series(heads + 1),
            "credential": text(["MD", "NP", "PA"], credential.astype(np.int64)),
            "specialty_code": specialty,
            "is_qualifying_participant": pl.repeat(None, len(heads), dtype=pl.Boolean, eager=True),
        }
    ).with_columns(
        provider_name=pl.lit("Practitioner ") + pl.col("provider_name").cast(pl.String).str.zfill(6)
    )
    return {
        "practices": practices,
        "providers": providers,
        "locality_gpci": _indices(),
        "area_measures": _areas(places),
    }


def _indices() -> pl.DataFrame:
    """The one made-up locality: prices there are the national ones."""
    return pl.DataFrame(
        {
            "pricing_locality": [LOCALITY],
            "locality_name": ["Simulated"],
            "effective_from": [date(2010, 1, 1)],
            "effective_to": [date(2099, 12, 31)],
            "work_gpci": [1],
            "practice_gpci": [1],
            "malpractice_gpci": [1],
        }
    )


def _areas(places: list[dict[str, Any]]) -> pl.DataFrame:
    """area_measures of the simulated places: commuting code and deprivation by ZIP code, vulnerability and shortage by county, all made up."""
    by_zip = [
        ("zip_code", zip_code, measure, str(value))
        for place in places
        for zip_code, percentile in zip(place["zips"], place["deprivation"], strict=True)
        for measure, value in (("ruca", place["ruca"]), ("adi_national", percentile))
    ]
    by_county = [
        ("county", place["county_fips"], "svi", f"{np.mean(place['deprivation']) / 100:.4f}")
        for place in places
    ]
    # As many places are short of primary care as are deprived or rural in part: where both lie above the middle.
    by_county += [
        (
            "county",
            place["county_fips"],
            "hpsa_primary_care",
            "14" if min(place["deprivation"]) > 60 else "-1",
        )
        for place in places
    ]
    names = ["area_kind", "area_code", "measure", "measure_value"]
    return pl.DataFrame([*by_zip, *by_county], schema=names, orient="row").with_columns(
        edition=pl.lit("simulated"), effective_from=date(2010, 1, 1), effective_to=date(2099, 12, 31)
    )
