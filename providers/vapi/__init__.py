"""Vapi: hosted assistants, reached by a call's own websocket."""
