"""Engine ``dangling``: whoever stops at "and" or "my name is" has more to say. English; reads only the transcript."""

from __future__ import annotations

import re

from voicebackend.interfaces import TurnDetector, TurnEvidence

FINISHED = 1.0
TRAILING = 0.4
"""After a comma or dash: recognisers set them at the end of whole sentences too."""
DANGLING = 0.1

_WORDS = {
    "conjunctions": "and or but nor because since although though while whereas if unless until whether than as",
    "prepositions": "to of for from with at by into onto between during without via per about",
    "articles and possessives": "a an the my your his its our their every",
    "subjects and verbs that want more": "i we is are was were i'm i've i'd i'll it's that's there's he's she's we're "
    "we've we'll they're you're",
    "fillers": "um uh er erm hmm mm",
}
"""Words that rarely end what someone has to say."""
_DANGLING = frozenset(word for words in _WORDS.values() for word in words.split())


class DanglingTurn(TurnDetector):
    """A rule: free, and as good on broken-off sentences as small models; it only ever makes the wait longer."""

    name = "dangling"

    async def end_of_turn(self, evidence: TurnEvidence) -> float:
        """Return 0.1 if the last word wants another, 0.4 after a comma or dash, else 1.0."""
        return finished(evidence.text)


def finished(text: str) -> float:
    """Return the probability that a text is all that its speaker wants to say; a question always is."""
    said = text.strip().lower().replace("’", "'")
    if said.endswith("?"):
        return FINISHED
    words = re.findall(r"[a-z']+", said)
    if words and said.rstrip(" .,;:!…-–—").endswith(words[-1]) and words[-1] in _DANGLING:
        return DANGLING
    return TRAILING if said.endswith((",", ";", ":", "-", "–", "—", "...", "…")) else FINISHED
