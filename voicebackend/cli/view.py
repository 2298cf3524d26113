"""A call as it is shown: what is said, as it is said, and below each answer where its time went."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

from voicebackend.cli.caller import TurnHeard

STAGES = {
    "end_of_turn": ("waiting whether you go on", "blue"),
    "stt_final": ("understanding", "cyan"),
    "agent_ttft": ("the agent thinks", "magenta"),
    "tts_ttfb": ("finding a voice", "green"),
    "way": ("on the way", "bright_black"),
}
"""The stages of a turn, in order, as people call them."""
WIDTH = 30
"""Columns of a waterfall."""
_INDENT = " " * 11


class CallView:
    """Prints to a console; what may still change stands in its status line."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status = Status("", console=console, spinner="dots")

    def partial(self, text: str) -> None:
        """Show what is being understood, and may change."""
        self._status.update(f"[dim]caller: {_plain(text)} …[/dim]")
        self._status.start()

    def understood(self, turn: TurnHeard) -> None:
        """Show what was understood."""
        self._status.stop()
        self._console.print(_said(f"{turn.turn:>3}  caller", "bold", turn.user))

    def answered(self, turn: TurnHeard) -> None:
        """Show an answer that is complete, and how long it took."""
        self._status.stop()
        self._console.print(_said("     agent", "bold green", turn.agent))
        if turn.latency_ms:
            self._console.print(waterfall(turn.latency_ms))

    def close(self) -> None:
        """Take the status line away."""
        self._status.stop()


def waterfall(latency_ms: Mapping[str, float]) -> Table:
    """Return a turn's stages as bars, one below the other, each beginning where the one before ends."""
    stages = {name: latency_ms.get(name, 0.0) for name in STAGES}
    total = latency_ms.get("heard", latency_ms.get("e2e", sum(stages.values())))
    stages["way"] = max(0.0, total - sum(stages.values()))
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, width=WIDTH)
    table.add_column(no_wrap=True, justify="right")
    scale, start = WIDTH / max(total, 1.0), 0.0
    for name, (label, colour) in STAGES.items():
        before = min(WIDTH - 1, round(start * scale))
        length = max(1, min(WIDTH - before, round(stages[name] * scale)))
        table.add_row(
            "            ",
            label,
            Text(" " * before + "━" * length, style=colour),
            f"{stages[name]:.0f} ms",
            style="dim",
        )
        start += stages[name]
    table.add_row("            ", "until you hear it", "", f"{total:.0f} ms", style="bold")
    return table


def _said(who: str, style: str, text: str) -> Table:
    """Return a line whose text stays beside its speaker when it is long."""
    table = Table.grid(padding=(0, 2))
    table.add_row(Text(who, style=style), Text(text))
    return table


def _plain(text: str) -> str:
    return text.replace("[", "\\[")
