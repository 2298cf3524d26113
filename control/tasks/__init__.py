"""The functions behind the tasks: plain and idempotent, because whoever runs them may run them twice."""
