"""Every setting is in .env.example, with its default."""

from pathlib import Path

import pytest
from dotenv import dotenv_values
from pydantic_settings import BaseSettings

from api.settings import ApiSettings
from jobs.settings import StoreSettings
from pipeline.settings import PipelineSettings
from worker.courier_settings import CourierSettings
from worker.settings import WorkerSettings

EXAMPLE = Path(__file__).parents[2] / ".env.example"
PROGRAMS: list[type[BaseSettings]] = [
    StoreSettings,
    ApiSettings,
    WorkerSettings,
    CourierSettings,
    PipelineSettings,
]


def names(settings: type[BaseSettings]) -> set[str]:
    return {name.upper() for name in settings.model_fields}


def test_the_example_names_every_setting_and_no_other() -> None:
    assert set(dotenv_values(EXAMPLE)) == set().union(*map(names, PROGRAMS))


@pytest.mark.parametrize("settings", PROGRAMS)
def test_the_example_says_the_defaults(
    settings: type[BaseSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in names(settings):
        monkeypatch.delenv(name, raising=False)
    defaults = settings()

    for name, value in dotenv_values(EXAMPLE).items():
        monkeypatch.setenv(name, (value or "").replace("~", str(Path.home())))

    assert settings() == defaults
