"""What a deployment pays: the table of prices, and what a session cost by it, to the millionth. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from control.records.usage import Usage
from voicebackend.config import invalid
from voicebackend.errors import InvalidConfig
from voicebackend.yaml_text import load_yaml

_OP = "prices"
_CENT = Decimal("0.000001")
_Name = Annotated[str, Field(min_length=1, max_length=200)]


class Price(BaseModel):
    """One line of the table."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    of: Literal["call", "stt", "tts", "s2s", "model"]
    name: _Name
    """As usage names it: a transport, an engine, ``provider/model``."""
    unit: _Name
    """``seconds``, ``characters``, ``input_tokens``, ..."""
    price: Annotated[Decimal, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
    per: Annotated[Decimal, Field(gt=0, le=1_000_000_000, allow_inf_nan=False)] = Decimal(1)
    """Of how many units that is the price."""

    @property
    def key(self) -> tuple[str, str, str]:
        """What it is the price of."""
        return self.of, self.name, self.unit


class Prices(BaseModel):
    """The file that ``VOICEBACKEND_PRICES`` names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    prices: Annotated[tuple[Price, ...], Field(min_length=1, max_length=10_000)]

    @model_validator(mode="after")
    def _one_each(self) -> Self:
        keys = [price.key for price in self.prices]
        for key in keys:
            if keys.count(key) > 1:
                raise PydanticCustomError("prices", "there are two prices for {what}", {"what": " ".join(key)})
        return self

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Return the table in a YAML file; amounts in quotes are exact.

        Raises:
            InvalidConfig: it cannot be read, or a field is wrong.

        """
        try:
            return cls.model_validate(load_yaml(path.read_text(encoding="utf-8")))
        except ValidationError as error:
            raise invalid(error, _OP) from None
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise InvalidConfig(_OP, f"{path}: {type(error).__name__}", details={"field": str(path)}) from error

    def cost(self, used: Usage) -> dict[str, Any]:
        """Return ``total`` and ``items`` as decimal numbers in text, and ``unpriced``: what has no price here."""
        table = {price.key: price for price in self.prices}
        items, unpriced, total = [], [], Decimal(0)
        for key, amount in _lines(used):
            price = table.get(key)
            what = dict(zip(("of", "name", "unit"), key, strict=True))
            if price is None:
                unpriced.append(what)
                continue
            cost = Decimal(str(amount)) * price.price / price.per
            total += cost
            items.append({**what, "amount": amount, "cost": _text(cost)})
        return {"currency": self.currency, "total": _text(total), "items": items, "unpriced": unpriced}


def _lines(used: Usage) -> Iterator[tuple[tuple[str, str, str], float]]:
    for role, names in used.items():
        for name, amounts in names.items():
            yield from (((role, name, unit), amount) for unit, amount in amounts.items())


def _text(cost: Decimal) -> str:
    return f"{cost.quantize(_CENT):f}"
