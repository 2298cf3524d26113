"""Webhooks that we send: what happened, on its way until it has arrived. HTTP to strangers lives here only."""
