"""English words that tell whether a caller is in the middle of something."""

from __future__ import annotations

ANSWERS = (
    *("thank you", "thanks", "please", "that's right", "that is right", "that's correct", "that's fine", "that's it"),
    *("that's all", "that works", "sounds good", "all right", "of course", "got it", "i see", "i do", "i am", "it is"),
    *(
        "go ahead",
        "not now",
        "not really",
        "never mind",
        "no problem",
        "yes",
        "yeah",
        "yep",
        "yup",
        "no",
        "nope",
        "nah",
    ),
    *("okay", "ok", "sure", "right", "correct", "exactly", "perfect", "great", "fine", "absolutely", "alright", "sir"),
    *("hello", "hi", "bye", "goodbye", "stop", "cancel"),
)
"""Turns that are over once they are said, alone or up to three in a row."""

FILLERS = frozenset(("um", "umm", "uh", "uhm", "uhh", "er", "erm", "hmm", "hm", "mm"))
"""Words that keep the floor."""

CONJUNCTIONS = frozenset(("and", "or", "but", "nor", "because", "since", "although", "though", "while", "if", "unless"))
"""Words that promise another clause."""

DIGITS = frozenset(("zero", "oh", "o", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"))
"""Words that stand for one digit."""

TENS = frozenset(
    (
        *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
        *("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"),
    )
)
"""Words that stand for two digits; of ``twenty-three`` the last is its second."""

REPEATS = {"double": 1, "triple": 2}
"""Digits that these add to the one that follows."""

LENGTHS = {
    "phone": (10, 11),
    "mobile": (10, 11),
    "cell": (10, 11),
    "card": (15, 16),
    "zip": (5, 9),
    "routing": (9,),
    "pin": (4, 6),
    "code": (4, 5, 6),
    "extension": (3, 4),
    "account": (8, 9, 10, 12),
    "order": (6, 7, 8, 9, 10, 12),
    "tracking": (12, 15, 20),
    "confirmation": (6, 8, 10),
    "reference": (6, 8, 10),
    "number": (10, 11),
}
"""Digits that what a word announces usually has; of several such words the first in this table counts."""

MAILBOXES = ("gmail", "yahoo", "hotmail", "outlook", "icloud", "aol", "proton")
"""What "at" makes an e-mail address of."""

ANNOUNCING = frozenset(("is", "it's", "number", "code", "pin", "zip", "extension", "mobile", "phone"))
"""Words directly before such digits."""

INITIALS = ("a.m", "p.m", "u.s", "u.k", "u.s.a", "d.c", "p.s", "o.k", "e.g", "i.e")
"""Letters with full stops that are words."""

UNANNOUNCED = (10, 11, 16)
"""Digits of what nothing announces: a telephone or a card."""

ENDINGS = frozenset(("com", "org", "net", "edu", "gov", "io", "co", "uk", "de", "fr", "eu", "us", "ca", "au", "info"))
"""Last parts of internet addresses."""
