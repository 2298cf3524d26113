"""When a number may be called: in which time zones it may be, and when a window is open in all of them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import phonenumbers
from phonenumbers import timezone

from control.telephony.routing.window import Window
from voicebackend.calls import CallWindow

AHEAD_DAYS = 15
"""Days that are looked through for an opening: two weeks have every combination of days and hours."""
_UNKNOWN = "Etc/Unknown"


def zones_of(number: str) -> tuple[str, ...]:
    """Return every time zone in which a number (E.164) may be; none if nobody knows.

    An area code can span several, and a mobile number a whole country.
    """
    found = timezone.time_zones_for_number(phonenumbers.parse(number))
    return tuple(zone for zone in found if zone != _UNKNOWN)


class Hours:
    """The moments in which a call may begin: one of its windows is open in every zone where the party may be."""

    def __init__(self, windows: Sequence[CallWindow], zones: Sequence[str]) -> None:
        self._windows = [
            [_window(window, zone) for zone in ([window.zone] if window.zone else zones)] for window in windows
        ]

    def are_open(self, when: datetime) -> bool:
        """Tell whether a call may begin at this moment."""
        return any(places and all(window.is_open(when) for window in places) for places in self._windows)

    def next_open(self, when: datetime) -> datetime | None:
        """Return this moment if a call may begin, else the next opening; None if there is none in two weeks."""
        if self.are_open(when):
            return when
        openings = {opening for places in self._windows for window in places for opening in _openings(window, when)}
        return next((opening for opening in sorted(openings) if opening > when and self.are_open(opening)), None)


def hours(windows: tuple[CallWindow, ...], zones: tuple[str, ...]) -> Hours:
    """Return the hours of these windows; the same for the same."""
    return _hours(windows, zones)


@lru_cache(maxsize=1024)
def _hours(windows: tuple[CallWindow, ...], zones: tuple[str, ...]) -> Hours:
    return Hours(windows, zones)


def _window(window: CallWindow, zone: str) -> Window:
    return Window(tz=zone, days=window.days, opens=window.opens, closes=window.closes)


def _openings(window: Window, when: datetime) -> Iterator[datetime]:
    """Yield when this window opens on the days around and after a moment."""
    zone = ZoneInfo(window.tz)
    today = when.astimezone(zone).date()
    for days in range(-1, AHEAD_DAYS):
        yield datetime.combine(today + timedelta(days=days), window.opens, zone).astimezone(UTC)
