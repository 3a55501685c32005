"""Settings come from the environment, and wrong ones are named."""

import pytest
from pydantic import ValidationError

from folio.config import (
    EngineSettings,
    ServerSettings,
    Settings,
    embedded_model_path,
    wrong_settings,
)


def test_the_embedded_model_is_served_without_a_model_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MODEL_PATH", raising=False)
    settings = EngineSettings()
    assert settings.uses_embedded_model
    assert settings.model == str(embedded_model_path())
    assert settings.model_name == "folio-nano"


def test_environment_variables_carry_the_field_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_PATH", "deepseek-ai/DeepSeek-OCR")
    monkeypatch.setenv("MAX_MODEL_LEN", "4096")
    monkeypatch.setenv("PORT", "9000")
    settings = Settings()
    assert settings.engine.model_name == "deepseek-ai/DeepSeek-OCR"
    assert settings.engine.max_model_len == 4096
    assert settings.server.port == 9000


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_PATH", "")
    assert EngineSettings().uses_embedded_model


def test_a_wrong_value_names_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "80801")
    with pytest.raises(ValidationError, match="port"):
        ServerSettings()


@pytest.mark.parametrize(
    ("name", "value"),
    [("DATABASE_URL", "mysql://me:hunter2@host/folio"), ("CELERY_BROKER_URL", "hunter2@redis")],
)
def test_an_address_of_another_kind_is_refused_and_its_password_not_told(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as caught:
        Settings()
    (wrong,) = wrong_settings(caught.value)
    assert wrong.name == name
    assert "it is no" in wrong.problem
    assert "hunter2" not in f"{wrong.value} {wrong.problem}"
