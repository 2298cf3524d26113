"""Noise cancellation."""
