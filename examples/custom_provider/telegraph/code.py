"""Letters as dots and dashes; pure."""

from __future__ import annotations

# fmt: off
KEYED = {
    "A": ".-", "B": "-...", "C": "-.-.", "D": "-..", "E": ".", "F": "..-.", "G": "--.", "H": "....", "I": "..",
    "J": ".---", "K": "-.-", "L": ".-..", "M": "--", "N": "-.", "O": "---", "P": ".--.", "Q": "--.-", "R": ".-.",
    "S": "...", "T": "-", "U": "..-", "V": "...-", "W": ".--", "X": "-..-", "Y": "-.--", "Z": "--..",
    "1": ".----", "2": "..---", "3": "...--", "4": "....-", "5": ".....",
    "6": "-....", "7": "--...", "8": "---..", "9": "----.", "0": "-----",
}
"""Dots and dashes by letter."""
# fmt: on
READ = {signs: letter.lower() for letter, signs in KEYED.items()}
"""Letters by dots and dashes."""


def keyed(word: str) -> list[str]:
    """Return the signs of each letter of a word; what has none is left out."""
    return [KEYED[letter] for letter in word.upper() if letter in KEYED]
