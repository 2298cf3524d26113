"""The table of targets: every parser of ours that reads what others wrote."""

from __future__ import annotations

import audio_targets
import cartesia_targets
import openai_targets
import settings_targets
import telephony_targets
import wire_targets
from target import Target

TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        *wire_targets.TARGETS,
        *openai_targets.TARGETS,
        *cartesia_targets.TARGETS,
        *telephony_targets.TARGETS,
        *audio_targets.TARGETS,
        *settings_targets.TARGETS,
    )
}
"""By name."""
