"""Conversations told in files, held by the real pipelines in virtual time, and judged by what the caller heard."""
