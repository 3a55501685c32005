""".env.vllm-direct names every setting, as the program and the compose file have them."""

import os

import pytest

from folio.config import Settings
from tests.unit.deployment.env_file import read_env_file

SECRETS = {"INTERNAL_API_TOKEN", "POSTGRES_PASSWORD", "REDIS_PASSWORD"}


def names_of_settings() -> set[str]:
    """Of all groups, as environment variables."""
    groups = [field.annotation for field in Settings.model_fields.values()]
    return {name.upper() for group in groups for name in group.model_fields}


def test_every_setting_of_the_program_stands_in_it() -> None:
    missing = sorted(names_of_settings() - set(read_env_file()))
    assert not missing, f"add to .env.vllm-direct, each with a line on it: {', '.join(missing)}"


def test_each_variable_has_a_line_that_explains_it() -> None:
    assert [item.name for item in read_env_file().values() if not item.comment] == []


def test_the_defaults_it_names_are_those_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in names_of_settings() & set(os.environ):
        monkeypatch.delenv(name)
    defaults = Settings()
    for item in read_env_file().values():
        if item.name in names_of_settings() and not item.is_set:
            monkeypatch.setenv(item.name, item.value)
    assert Settings() == defaults


def test_only_what_an_operator_must_choose_is_set() -> None:
    is_set = {item.name for item in read_env_file().values() if item.is_set}
    assert is_set == SECRETS | {"COMPOSE_PROFILES", "MODEL_PATH"}


def test_it_holds_no_secret() -> None:
    variables = read_env_file()
    assert {variables[name].value for name in SECRETS} == {""}
