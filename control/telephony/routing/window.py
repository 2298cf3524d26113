"""When a route is open: days and hours on a wall clock somewhere. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_MINUTES = 24 * 60


def check_zone(name: str) -> str:
    """Return the name of a time zone; raises ValueError if it is none."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        message = f"{name!r} is no time zone"
        raise ValueError(message) from error
    return name


def _days(text: str) -> str:
    first, _, last = text.partition("-")
    if first not in DAYS or (last and last not in DAYS):
        message = f"{text!r} is no day or range of days: {', '.join(DAYS)}, mon-fri"
        raise ValueError(message)
    return text


def _text(value: Any) -> Any:
    """Refuse a number: YAML reads 17:00 as 1020, which would be seconds here."""
    if isinstance(value, (int, float)):
        raise PydanticCustomError("unquoted_time", 'quote it, as in "17:00": YAML reads it as a number')
    return value


_Clock = Annotated[time, BeforeValidator(_text)]


class Window(BaseModel):
    """Hours of the week, by the wall clock of a zone; ``until`` before or at ``from`` ends on the following day."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    tz: Annotated[str, AfterValidator(check_zone)]
    """Of the IANA database, ``America/New_York``."""
    days: Annotated[tuple[Annotated[str, AfterValidator(_days)], ...], Field(min_length=1)] = ("mon-sun",)
    opens: Annotated[_Clock, Field(alias="from")] = time(0)
    closes: Annotated[_Clock, Field(alias="until")] = time(0)
    """The first minute that no longer belongs to it; midnight is the day's end."""
    closed: Annotated[tuple[date, ...], Field(alias="except")] = ()
    """Days on which it does not open."""

    @model_validator(mode="after")
    def _whole_minutes(self) -> Self:
        if any(at.second or at.microsecond or at.tzinfo for at in (self.opens, self.closes)):
            message = "from and until are whole minutes, HH:MM"
            raise ValueError(message)
        return self

    def is_open(self, when: datetime) -> bool:
        """Tell whether it is open at a moment, which has a time zone of its own."""
        local = when.astimezone(ZoneInfo(self.tz))
        return any(self._opened(local.date() - timedelta(days=ago), local) for ago in (0, 1))

    def minutes(self) -> frozenset[int]:
        """Return the minutes of the week, from Monday's first, in which it is open on ordinary days."""
        return frozenset(
            (day * _DAY_MINUTES + minute) % (7 * _DAY_MINUTES)
            for day in self._weekdays
            for minute in range(self._start, self._end)
        )

    def _opened(self, day: date, local: datetime) -> bool:
        """Tell whether it opened on this day and is open still."""
        if day.weekday() not in self._weekdays or day in self.closed:
            return False
        minute = (local.date() - day).days * _DAY_MINUTES + local.hour * 60 + local.minute
        return self._start <= minute < self._end

    @property
    def _start(self) -> int:
        return self.opens.hour * 60 + self.opens.minute

    @property
    def _end(self) -> int:
        end = self.closes.hour * 60 + self.closes.minute
        return end if end > self._start else end + _DAY_MINUTES

    @cached_property
    def _weekdays(self) -> frozenset[int]:
        return frozenset(day for text in self.days for day in _range(text))


def _range(text: str) -> Iterator[int]:
    first, _, last = text.partition("-")
    start, end = DAYS.index(first), DAYS.index(last or first)
    for step in range((end - start) % 7 + 1):
        yield (start + step) % 7
