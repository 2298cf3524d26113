"""The HTTP API, the gateway that holds callers' sockets, and the Celery app with its tasks.

``celery -A control`` finds the app in ``control.celery``. Nothing here loads a provider or knows the worker.
"""
