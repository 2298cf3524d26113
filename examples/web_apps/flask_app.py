"""A Flask app whose users talk to an agent: ``flask --app flask_app run --port 5000``."""

from __future__ import annotations

import asyncio
from typing import Any

import voice_calls
from flask import Flask, render_template_string, request

from voicebackend import VoiceBackendError
from voicebackend.errors import HTTP_STATUS

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 64 * 1024
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Call {{ session }}</title>
<h1>What was said</h1>
<ol>{% for role, text in said %}<li><b>{{ role }}</b> {{ text }}</li>{% else %}<li>Nothing yet.</li>{% endfor %}</ol>
<h2>What happened</h2><ul>{% for event in events %}<li>{{ event }}</li>{% endfor %}</ul></html>"""


@app.post("/calls/by-task")
def call_by_task() -> tuple[dict[str, str], int]:
    return {"session": voice_calls.open_by_task("ada")}, 202  # your user's id, as your login has it


@app.post("/calls/by-client")
def call_by_client() -> tuple[dict[str, str], int]:
    return {"session": asyncio.run(voice_calls.open_by_client("ada"))}, 201


@app.post("/calls/<session>/ticket")
def ticket(session: str) -> dict[str, Any]:
    voice_calls.check_owner(session, "ada")  # your user's id
    return asyncio.run(voice_calls.ticket(session))


@app.get("/calls/<session>")
def show(session: str) -> str:
    voice_calls.check_owner(session, "ada")
    said = asyncio.run(voice_calls.transcript(session))
    return render_template_string(PAGE, session=session, said=said, events=voice_calls.events_of(session))


@app.post("/webhooks")
def webhook() -> tuple[str, int]:
    voice_calls.take(request.headers, request.get_data())
    return "", 204


@app.errorhandler(VoiceBackendError)
def failed(error: VoiceBackendError) -> tuple[dict[str, str], int]:
    return {"code": str(error.code), "message": error.message}, HTTP_STATUS[error.code]
