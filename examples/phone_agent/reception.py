"""The agent that answers the telephone: it asks for a key, and says goodbye."""

from collections.abc import Iterator

from voicebackend.agents import Turn, agent

ANSWERS = {"1": "We are open until nine. Goodbye.", "2": "The soup today is tomato. Goodbye."}


@agent("reception")
def reception(turn: Turn) -> Iterator[str]:
    if turn.digits is None:  # the caller has said something
        turn.collect_digits(max_digits=1, first_timeout=30)
        yield "For our opening hours press one, for the soup of the day press two."
    else:  # the caller has pressed a key, or nothing
        yield ANSWERS.get(turn.digits.reveal(), "Then I wish you a good day.")
        # turn.transfer("+14155550199") would hand the caller over to a person, where the trunk allows that number
