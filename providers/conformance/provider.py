"""What every provider must tell about itself: each inherits the suite."""

from __future__ import annotations

import json

import pytest

from providers.registry import ENGINES, PROVIDERS
from voicebackend.config import BackendConfig, PipelineType
from voicebackend.errors import InvalidConfig
from voicebackend.interfaces import VoiceProvider
from voicebackend.session import Transport


class ProviderSuite:
    """Subclasses name the provider and give a config that fits it."""

    name: str
    config: BackendConfig

    @pytest.fixture
    def provider(self) -> VoiceProvider:
        """Give the provider, not open."""
        return PROVIDERS.create(self.name, self.config.provider_config)

    def test_it_carries_its_registered_name(self, provider: VoiceProvider) -> None:
        """Metrics and errors use it."""
        assert provider.name == self.name

    def test_its_capabilities_are_plain_data(self, provider: VoiceProvider) -> None:
        """They go through JSON unchanged and name transports and pipelines that exist."""
        told = provider.capabilities.to_dict()
        assert json.loads(json.dumps(told)) == told
        assert told["transports"]
        assert set(told["transports"]) <= {str(transport) for transport in Transport}
        assert set(told["pipelines"]) <= {str(pipeline) for pipeline in PipelineType}

    def test_its_settings_are_described(self) -> None:
        """The schema is plain data and says that other keys are rejected."""
        [found] = [found for found in PROVIDERS.describe() if found.name == self.name]
        schema = json.loads(json.dumps(found.config_schema))
        assert schema["additionalProperties"] is False

    def test_an_unknown_setting_is_named(self) -> None:
        """A typing error does not go unnoticed."""
        with pytest.raises(InvalidConfig) as caught:
            PROVIDERS.create(self.name, {"no_such_setting": 1})
        assert caught.value.details["field"] == "no_such_setting"

    def test_the_engines_that_it_names_exist_and_take_their_settings(self, provider: VoiceProvider) -> None:
        """Each role resolves to an engine, and the settings could come from JSON."""
        for role, (name, settings) in provider.engines(self.config).items():
            engine = ENGINES[role].create(name, json.loads(json.dumps(settings)))
            assert engine.name == name

    async def test_it_opens_twice_and_closes(self, provider: VoiceProvider) -> None:
        """Without a session."""
        await provider.open()
        await provider.open()
        await provider.aclose()

    def test_what_it_needs_is_what_it_says(self, provider: VoiceProvider) -> None:
        """A provider with a pipeline of its own names its engines itself; another needs them named."""
        bare = BackendConfig(provider=self.name)
        own = provider.capabilities.own_pipeline
        if own:
            assert bare.checked(own_pipeline=own) is bare
        else:
            with pytest.raises(InvalidConfig):
                bare.checked(own_pipeline=own)
