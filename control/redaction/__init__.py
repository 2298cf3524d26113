"""Taking out of texts what tells who somebody is: telephone numbers, cards, addresses, names; also as it is spoken.

Nothing here knows sessions or tasks: texts in, texts out. The library that recognises it is an extra.
"""
