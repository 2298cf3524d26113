"""The HTTP API: thin handlers, one file per resource. Each file's ``ROUTES`` describes what it answers."""
