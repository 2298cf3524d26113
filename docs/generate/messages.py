"""The messages of a caller's websocket, and the frames between processes."""

from __future__ import annotations

from typing import get_args

from generate.markdown import code, field_notes, prose, table
from voicebackend import events
from voicebackend.streams import Kind


def page() -> str:
    """Return messages from the caller, from the server, close codes and frame kinds."""
    return "\n".join(
        (
            "## From the caller\n",
            _messages(events.ClientMessage),
            "## From the server\n",
            _messages(events.ServerMessage),
            "## Close codes\n",
            table(["code", "name"], ((int(each), code(each.name)) for each in events.CloseCode)),
            "## Frames between processes\n",
            table(["kind", "name"], ((int(each), code(each.name)) for each in Kind)),
        )
    )


def _messages(union: object) -> str:
    rows = []
    for message in get_args(get_args(union)[0]):
        notes = field_notes(message)
        fields = [
            code(name) + (f" ({notes[name].rstrip('.')})" if name in notes else "")
            for name in message.model_fields
            if name != "type"
        ]
        rows.append((code(message.model_fields["type"].default), ", ".join(fields), prose(message.__doc__)))
    return table(["type", "fields", "what"], rows)
