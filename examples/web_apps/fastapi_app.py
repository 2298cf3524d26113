"""A FastAPI app whose users talk to an agent: ``uvicorn fastapi_app:app --port 5000``."""

from __future__ import annotations

from html import escape
from typing import Any

import voice_calls
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from voicebackend import VoiceBackendError
from voicebackend.errors import HTTP_STATUS

app = FastAPI()
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Call {session}</title>
<h1>What was said</h1><ol>{said}</ol><h2>What happened</h2><ul>{events}</ul></html>"""


@app.post("/calls/by-task", status_code=202)
def call_by_task() -> dict[str, str]:  # not async: Celery's publishing blocks
    return {"session": voice_calls.open_by_task("ada")}  # your user's id, as your login has it


@app.post("/calls/by-client", status_code=201)
async def call_by_client() -> dict[str, str]:
    return {"session": await voice_calls.open_by_client("ada")}


@app.post("/calls/{session}/ticket")
async def ticket(session: str) -> dict[str, Any]:
    voice_calls.check_owner(session, "ada")  # your user's id
    return await voice_calls.ticket(session)


@app.get("/calls/{session}")
async def show(session: str) -> HTMLResponse:
    voice_calls.check_owner(session, "ada")
    said = await voice_calls.transcript(session)
    lines = [f"<li><b>{escape(role)}</b> {escape(text)}</li>" for role, text in said] or ["<li>Nothing yet.</li>"]
    events = [f"<li>{escape(event)}</li>" for event in voice_calls.events_of(session)]
    return HTMLResponse(PAGE.format(session=escape(session), said="".join(lines), events="".join(events)))


@app.post("/webhooks", status_code=204)
async def webhook(request: Request) -> Response:
    voice_calls.take(request.headers, await request.body())
    return Response(status_code=204)


@app.exception_handler(VoiceBackendError)
async def failed(_request: Request, error: VoiceBackendError) -> JSONResponse:
    return JSONResponse({"code": str(error.code), "message": error.message}, HTTP_STATUS[error.code])
