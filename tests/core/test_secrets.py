"""Secrets of URLs and of the environment are hidden; everything else stays."""

from __future__ import annotations

import pytest
from sqlalchemy.engine import URL, make_url

from autoloss.core.secrets import redacted, without_secrets


@pytest.mark.parametrize(
    "password", ["hunter22", "p@ss", "a/b", "x:y", "50000", "p%40ss?a=1", "#1"]
)
@pytest.mark.parametrize("scheme", ["http", "https", "postgresql", "mysql+pymysql"])
def test_a_password_is_hidden(scheme: str, password: str) -> None:
    found = redacted(f"see {scheme}://me:{password}@host:5432/db today")
    assert found == f"see {scheme}://me:***@host:5432/db today"


@pytest.mark.parametrize(
    "name",
    ["password", "PGPASSWORD", "sslpassword", "token", "access_key", "client_secret", "pwd"],
)
def test_a_secret_of_the_query_is_hidden(name: str) -> None:
    found = redacted(f"postgresql://host/db?user=me&{name}=hunter22&sslmode=require")
    assert found == f"postgresql://host/db?user=me&{name}=***&sslmode=require"


def test_a_token_in_the_place_of_user_and_password_is_hidden() -> None:
    assert redacted("https://ghp_0123456789abcdef@host/x") == "https://***@host/x"


@pytest.mark.parametrize(
    "text",
    [
        "sqlite:///optuna.db",
        "http://127.0.0.1:5000/#/experiments/1?searchFilter=a@b",
        "http://host:5000",
        "postgresql://me@host/db?sslkey=/home/me/client.key",
        "a:b@c, token=5, no URL",
    ],
)
def test_a_text_without_a_secret_stays(text: str) -> None:
    assert redacted(text) == text


def test_all_that_sqlalchemy_takes_for_a_password_is_hidden() -> None:
    url = URL.create("postgresql", "me", "s/e:c@r et", "host", 5432, "db")
    text = url.render_as_string(hide_password=False)
    assert make_url(text).password == "s/e:c@r et"
    assert redacted(text) == url.render_as_string(hide_password=True)


def test_secrets_of_the_environment_are_hidden() -> None:
    environment = {
        "MLFLOW_TRACKING_TOKEN": "abcdef123",
        "PGPASSWORD": "abcdef",
        "HOME": "/home/me",
    }
    text = "/home/me sent abcdef123 and abcdef"
    assert without_secrets(text, environment) == "/home/me sent *** and ***"
    # A word of a few letters stands in any text.
    assert without_secrets("a key", {"API_KEY": "a"}) == "a key"


def test_the_folder_of_the_shell_is_no_secret() -> None:
    folders = {"PWD": "/home/me/churn", "OLDPWD": "/home/me", "SSH_ASKPASS": "/usr/bin/askpass"}
    text = "/home/me/churn/reports by /usr/bin/askpass, not hunter2!"
    assert without_secrets(text, folders) == text
    hidden = without_secrets(text, folders | {"DB_PWD": "hunter2!"})
    assert hidden == text.replace("hunter2!", "***")
