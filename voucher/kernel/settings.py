"""Settings come from the environment alone (PASS_…), are read once and never change."""

import re
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

SECRET_BYTES_MIN = 32


class Settings(BaseSettings):
    """What an installation may choose. Secrets have no default: the demonstration makes its own and says so."""

    model_config = SettingsConfigDict(env_prefix="PASS_", frozen=True, hide_input_in_errors=True)

    database_url: str = Field(
        "sqlite:///var/pass.sqlite3", description="SQLite by default, postgresql:// in production"
    )
    base_url: str = Field("http://127.0.0.1:8000", description="public address; it is printed in every code")
    secret_key: SecretStr = Field(description="signs the forms' tokens; 32 random bytes or more")
    master_key: SecretStr = Field(description="encrypts signing keys at rest; 64 hexadecimal digits")
    is_demo: bool = Field(False, description="shows the demonstration banner and accounts")
    proxy_count: int = Field(
        0, ge=0, le=9, description="reverse proxies in front, whose X-Forwarded-For and -Proto are believed"
    )
    data_folder: Path = Field(Path("var"), description="printed booklets and other large files")
    programme_name: str = Field("Pass numérique", description="name on pages, vouchers and letters")
    help_contact: str = Field("aide@pass-numerique.example", description="where people can ask for help")
    help_phone: str = Field("01 99 00 12 34", description="telephone number printed on booklets")
    smtp_url: SecretStr | None = Field(
        None, description="smtp://user:password@host:587 or smtps://…; without it e-mails wait, visible, in the outbox"
    )
    mail_from: str = Field("ne-pas-repondre@pass-numerique.example", description="sender of e-mails")
    chart_file: Path | None = Field(
        None, description="TOML file with the accountant's own numbers and names of accounts"
    )
    revenue_order_days: int = Field(
        60, ge=1, le=3650, description="days after which an overpayment that did not come back may be claimed"
    )
    backing_alert_percent: int = Field(
        100, ge=1, le=100, description="under this coverage of what is due, an agreement is shown as near its stop"
    )
    backing_stop_percent: int = Field(
        95, ge=1, le=100, description="under this coverage of what is due, an agreement issues no more vouchers"
    )
    wrong_codes_alarm: int = Field(
        100, ge=1, le=1_000_000, description="wrong codes typed in one hour, over the programme, that raise the alarm"
    )
    redemption_undo_minutes: int = Field(30, ge=1, le=24 * 60, description="how long a mediator may undo a redemption")

    @model_validator(mode="after")
    def _alerts_before_it_stops(self) -> Self:
        if self.backing_alert_percent < self.backing_stop_percent:
            raise ValueError("PASS_BACKING_ALERT_PERCENT doit être au moins PASS_BACKING_STOP_PERCENT")
        return self

    @field_validator("secret_key")
    @classmethod
    def _is_long(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value().encode()) < SECRET_BYTES_MIN:
            raise ValueError(f"trop court : {SECRET_BYTES_MIN} octets tirés au hasard, ou plus")
        return value

    @field_validator("master_key")
    @classmethod
    def _is_hexadecimal(cls, value: SecretStr) -> SecretStr:
        if not re.fullmatch(r"[0-9A-Fa-f]{64}", value.get_secret_value()):
            raise ValueError("64 chiffres hexadécimaux, 32 octets tirés au hasard")
        return value

    @property
    def master_secret(self) -> bytes:
        """The bytes of `master_key`, as the rooms that seal and derive keys take them."""
        return bytes.fromhex(self.master_key.get_secret_value())
