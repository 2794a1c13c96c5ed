"""Charts as Vega-Lite's own JSON: layers of marks whose properties are columns of rows, or constants.

What the functions return is documented at https://vega.github.io/vega-lite/docs/.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Json = dict[str, Any]


def draw_layer(rows: Sequence[Mapping[str, Any]], mark: Json, encoding: Json, *transforms: Json) -> Json:
    """One mark for each row; `mark` has its type and fixed looks, `encoding` says what each row decides."""
    return {
        "data": {"values": [dict(row) for row in rows]},
        "mark": mark,
        "encoding": encoding,
        **({"transform": list(transforms)} if transforms else {}),
    }


def combine_layers(layers: Sequence[Json], *, width: int, height: int) -> Json:
    """A chart of layers, the first at the bottom; the size, in pixels, is that of the plot inside its axes."""
    return {"layer": list(layers), "width": width, "height": height}


def number(field: str, **options: Any) -> Json:
    """What a column of numbers decides."""
    return {"field": field, "type": "quantitative", **options}


def order(field: str, **options: Any) -> Json:
    """What a column of places in an order decides."""
    return {"field": field, "type": "ordinal", **options}


def name(field: str, **options: Any) -> Json:
    """What a column of words, colours or addresses decides."""
    return {"field": field, "type": "nominal", **options}


def value(constant: Any) -> Json:
    """The same for all rows, in pixels or as a colour."""
    return {"value": constant}
