"""What finished sessions leave as objects, the index that says when each is due, and the receipts of what is gone.

Nothing here knows sessions or tasks: it takes bytes, subjects and times.
"""
