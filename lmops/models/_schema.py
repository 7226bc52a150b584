"""The tables of models: prices, endpoints, answers that are kept; and the views over them."""

from __future__ import annotations

from typing import Final

from lmops.store.schema import TIME, Erased, Room, Table, View

TABLES: Final = (
    Table("prices", ("price_id",)),
    Table("model_endpoints", ("name",)),
    Table("response_cache", ("key",), is_remade=True, erased=Erased("cached answers", texts=("content",))),
)
VIEWS: Final = (
    View(
        "prices",
        (
            ("price_id", "BIGINT", "unique"),
            ("model", "VARCHAR", "model name"),
            ("provider", "VARCHAR", "NULL: any provider"),
            ("valid_from_at", TIME, "from this time on"),
            ("input_usd_per_mtok", "DOUBLE", "USD per million input tokens"),
            ("output_usd_per_mtok", "DOUBLE", "USD per million output tokens"),
            ("cached_input_usd_per_mtok", "DOUBLE", "NULL: as input"),
            ("cache_write_input_usd_per_mtok", "DOUBLE", "NULL: as input"),
            ("actor", "VARCHAR", "who set it"),
            ("set_at", TIME, "when it was set"),
        ),
        "select price_id, model, provider, valid_from_ns, input_usd_per_mtok, output_usd_per_mtok, "
        "cached_input_usd_per_mtok, cache_write_input_usd_per_mtok, actor, set_ns from prices order by price_id",
        ("prices",),
    ),
    View(
        "model_endpoints",
        (
            ("name", "VARCHAR", "unique; how calls name it"),
            ("base_url", "VARCHAR", "address"),
            ("model", "VARCHAR", "the endpoint's name of the model"),
            ("provider", "VARCHAR", "NULL: known from the address, else the name"),
            ("api_key_env", "VARCHAR", "name of the environment variable that holds the key"),
            ("headers", "VARCHAR", "JSON object; $NAME is an environment variable"),
            ("timeout_s", "DOUBLE", "seconds for one attempt"),
            ("max_concurrency", "BIGINT", "most requests at once from one process"),
            ("actor", "VARCHAR", "who registered it"),
            ("registered_at", TIME, "when"),
        ),
        "select name, base_url, model, provider, api_key_env, headers, timeout_s, max_concurrency, actor, "
        "registered_ns from model_endpoints order by name",
        ("model_endpoints",),
    ),
)
ROOM: Final = Room(TABLES, VIEWS)
