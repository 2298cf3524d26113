"""Carriers' webhooks: how each tells of a call, proves that it is itself, and is told what to do. Pure."""
