"""What making a session needs, out of what the tasks of a process share."""

from __future__ import annotations

from control.context import TaskContext
from control.pseudonym import Pseudonyms
from control.session_services import SessionServices
from control.sessions.known_workers import KnownWorkers
from control.sessions.placement import Placement
from voicebackend.channel import Sender
from voicebackend.deployment_secret import token_secret


async def session_services(shared: TaskContext, sender: Sender) -> SessionServices:
    """Return services by the configuration of this moment; whoever gave ``sender`` flushes it."""
    await shared.refresh()
    return SessionServices(
        deployment=shared.deployment,
        live=shared.live,
        hooks=shared.hooks,
        state=shared.state,
        workers=KnownWorkers(shared.state, shared.keys),
        placement=Placement(shared.state, shared.keys, shared.store),
        queue=shared.queue,
        sender=sender,
        publisher=shared.publisher,
        pseudonyms=Pseudonyms.by(await token_secret(shared.state, shared.deployment)),
        cabinet=await shared.cabinet(),
    )
