"""A Django project in one file whose users talk to an agent: ``python django_app.py runserver --noreload 5000``."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

import voice_calls
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.management import execute_from_command_line
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import Context, Engine
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from voicebackend import VoiceBackendError
from voicebackend.errors import HTTP_STATUS

settings.configure(
    SECRET_KEY=os.environ.get("DJANGO_SECRET_KEY", "only for development"),
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    MIDDLEWARE=["django.middleware.common.CommonMiddleware", "django.middleware.csrf.CsrfViewMiddleware"],
    DATA_UPLOAD_MAX_MEMORY_SIZE=64 * 1024,
)
PAGE = Engine().from_string("""<!doctype html><html lang="en"><meta charset="utf-8"><title>Call {{ session }}</title>
<h1>What was said</h1>
<ol>{% for role, text in said %}<li><b>{{ role }}</b> {{ text }}</li>{% empty %}<li>Nothing yet.</li>{% endfor %}</ol>
<h2>What happened</h2><ul>{% for event in events %}<li>{{ event }}</li>{% endfor %}</ul></html>""")
View = Callable[..., Awaitable[HttpResponse]]


def problems(view: View) -> View:
    @wraps(view)
    async def guarded(request: HttpRequest, **arguments: Any) -> HttpResponse:
        try:
            return await view(request, **arguments)
        except VoiceBackendError as error:
            told = {"code": str(error.code), "message": error.message}
            return JsonResponse(told, status=HTTP_STATUS[error.code])

    return guarded


@csrf_exempt  # as your forms have it; here a call is opened by a plain POST
@require_POST
@problems
async def call_by_task(_request: HttpRequest) -> HttpResponse:
    session = await sync_to_async(voice_calls.open_by_task)("ada")  # your user's id: request.user.pk
    return JsonResponse({"session": session}, status=202)


@csrf_exempt
@require_POST
@problems
async def call_by_client(_request: HttpRequest) -> HttpResponse:
    return JsonResponse({"session": await voice_calls.open_by_client("ada")}, status=201)


@csrf_exempt
@require_POST
@problems
async def ticket(_request: HttpRequest, session: str) -> HttpResponse:
    voice_calls.check_owner(session, "ada")  # your user's id: request.user.pk
    return JsonResponse(await voice_calls.ticket(session))


@require_GET
@problems
async def show(_request: HttpRequest, session: str) -> HttpResponse:
    voice_calls.check_owner(session, "ada")
    said, events = await voice_calls.transcript(session), voice_calls.events_of(session)
    return HttpResponse(PAGE.render(Context({"session": session, "said": said, "events": events})).encode())


@csrf_exempt  # it comes with a signature instead
@require_POST
@problems
async def webhook(request: HttpRequest) -> HttpResponse:
    voice_calls.take(request.headers, request.body)
    return HttpResponse(status=204)


urlpatterns = [
    path("calls/by-task", call_by_task),
    path("calls/by-client", call_by_client),
    path("calls/<str:session>/ticket", ticket),
    path("calls/<str:session>", show),
    path("webhooks", webhook),
]
application = get_asgi_application()  # for uvicorn django_app:application; runserver takes this file as it is

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
