"""English words and phrases after which there is more to come."""

from __future__ import annotations

ALWAYS = frozenset(
    (
        *("and", "or", "but", "nor", "because", "since", "although", "though", "while", "whereas", "if"),
        *("unless", "whether", "than", "as", "a", "an", "the", "my", "your", "its", "our", "their", "every"),
        *("into", "per", "via", "i", "we", "i'm", "it's", "that's", "there's", "he's", "she's", "um", "umm"),
        *("uh", "uhm", "er", "erm", "hmm", "hm", "mm", "ah", "eh"),
    )
)
"""Words that hardly ever end what someone has to say: conjunctions, articles, possessives, subjects, fillers."""

CONTRACTED = ("'ll", "'ve", "'re", "'d")
"""Endings of words that want a verb."""

OUTSIDE_QUESTIONS = frozenset(
    (
        *("to", "of", "for", "from", "with", "at", "by", "onto", "between", "during", "without", "about", "is"),
        *("are", "was", "were", "his", "like", "very", "really", "some", "any"),
    )
)
"""Words that may end a question that asks for their object, as in "Who should I talk to?", but little else."""

ALONE = frozenset(
    ("well", "so", "now", "look", "listen", "like", "also", "actually", "anyway", "you", "then", "oh", "say")
)
"""Words that begin something when nothing of the sentence, or of its last clause, stands before them."""

ASKING = frozenset(("who", "whom", "whose", "what", "which", "where", "when", "why", "how"))
"""Words that such a question has."""

HOLDS = (
    r"(?:give me|just|hang on|hold on|wait)(?: just)? an? (?:second|sec|moment|minute)",
    r"(?:one|just a|just one) (?:second|sec|moment|minute)(?: please)?",
    r"let me (?:think|see|check|look|have a look|find it|get it)",
    r"(?:hold|hang) on|wait|bear with me|how (?:do|can|should) i (?:say|put) (?:it|this)|you know|i mean",
)
"""Patterns of what asks for patience, or only begins."""

OPENINGS = (
    r"(?:want|wanted|like|need|have|had|trying|hoping|going|able) to "
    r"(?:ask|ask you|know|say|tell you|mention|get|buy|make|send|find|find out|see|talk|speak|go|use|put|give)",
    r"(?:i (?:was|am)|i'm|we're|we were) (?:wondering|calling|looking|hoping|thinking|trying|going|interested)",
    r"the (?:thing|problem|issue|question|reason|point) is(?: that)?",
    r"(?:i (?:think|guess|believe|suppose|hope|thought)|it (?:was|is)) that",
)
"""Patterns of sentences that lack what they are about."""

SUBJECT = r"(?:my|the) (?:name|number|e-?mail|address|code|e-?mail address|phone number)(?: is)?"
"""Pattern of what somebody is going to tell, if nothing but a word like "and" stands before it."""
