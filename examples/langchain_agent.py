"""A LangChain model as an agent: streamed into speech, and told what the caller has heard.

Any chat model will do in the place of this one, which costs nothing: ``init_chat_model("…")``.
"""

import asyncio

from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage

from voicebackend import BackendConfig, SessionConfig, VoiceBackend
from voicebackend.testing import Caller


async def main() -> None:
    answers = [AIMessage(content="We have a table at seven."), AIMessage(content="I will keep it for you.")]
    model = GenericFakeChatModel(messages=iter(answers))
    async with VoiceBackend(BackendConfig(provider="mock")) as backend:
        wanted = SessionConfig(user_id="user-123", transport="websocket", agent=model)
        async with await backend.create_session(wanted) as session:
            caller = Caller(session)
            for words in ("Do you have a table for two?", "That is fine."):
                print(f"caller: {words}")
                print(f"agent:  {await caller.ask(words)}")


if __name__ == "__main__":
    asyncio.run(main())
