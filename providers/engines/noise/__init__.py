"""Noise cancellation: implementations of ``NoiseCanceller``."""
