"""Keeps worker processes running: starts, watches, replaces and ends them. Runs no session and loads no engine."""
