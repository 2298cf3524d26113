"""Calls that we make: planned, dialled when they are due and may be, and followed to their end."""
