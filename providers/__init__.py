"""Implementations of ``voicebackend.interfaces``: who carries a call, and the engines that hear and speak.

Rule of residence: whatever knows a vendor, a model or an optional package lives here and nowhere else. A module
imports its optional package when it is opened, never when it is imported, and lets only ``voicebackend.errors`` out.
Imports ``voicebackend`` alone; the worker finds everything by name in ``providers.registry``.
"""
