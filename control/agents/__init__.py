"""Running users' agents: one turn, of any kind of function, into the lane. Nothing here knows of Celery."""
