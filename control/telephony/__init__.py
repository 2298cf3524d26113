"""Telephone calls: where each goes, and what carriers say of them."""
