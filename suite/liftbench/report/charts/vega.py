"""Charts as Vega-Lite's own JSON: layers of marks whose properties are columns of rows, or constants.

What the functions return is documented at https://vega.github.io/vega-lite/docs/.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Json = dict[str, Any]


def draw_layer(rows: Sequence[Mapping[str, Any]], mark: Json, encoding: Json, *transforms: Json) -> Json:
    """One mark for each row; `mark` sets its type and fixed properties, `encoding` those that come from the row."""
    return {
        "data": {"values": [dict(row) for row in rows]},
        "mark": mark,
        "encoding": encoding,
        **({"transform": list(transforms)} if transforms else {}),
    }


def combine_layers(layers: Sequence[Json], *, width: int, height: int) -> Json:
    """A chart of layers, the first at the bottom; its size in pixels is that of the plot inside the axes."""
    return {"layer": list(layers), "width": width, "height": height}


def number(field: str, **options: Any) -> Json:
    """A property that comes from a column of numbers."""
    return {"field": field, "type": "quantitative", **options}


def order(field: str, **options: Any) -> Json:
    """A property that comes from a column of ranks."""
    return {"field": field, "type": "ordinal", **options}


def name(field: str, **options: Any) -> Json:
    """A property that comes from a column of words, colours or addresses."""
    return {"field": field, "type": "nominal", **options}


def value(constant: Any) -> Json:
    """A property that is the same for all rows, in pixels or as a colour."""
    return {"value": constant}
