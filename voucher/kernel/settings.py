"""Settings come from the environment alone (PASS_…), are read once and never change."""

import re
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from voucher.kernel.addresses import code_prefix, database_address, discovery_address, mailbox, smtp_server
from voucher.kernel.idle_limits import USUAL_IDLE_LIMITS, IdleLimits
from voucher.kernel.relying_party import RelyingParty, relying_party
from voucher.kernel.time_limits import TimeLimits

SECRET_BYTES_MIN = 32
IDLE_MINUTES_MAX = 12 * 60  # what every session ends after
WORDS_LENGTH_MAX = 120
LINE_LENGTH_MAX = 500


class WrongSettings(Exception):
    """Settings that cannot be used; `lines` name each variable and say in French what to write, never what it holds."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        super().__init__("\n".join(["Des réglages ne vont pas. Voyez le README.", *(f"  {line}" for line in lines)]))


class DatabaseSettings(BaseSettings):
    """Where the database is: all that migrations and proofs need."""

    model_config = SettingsConfigDict(env_prefix="PASS_", frozen=True, hide_input_in_errors=True)

    database_url: str = Field(
        "sqlite:///var/pass.sqlite3", description="SQLite by default, postgresql:// in production"
    )

    database_pool_size: int = Field(32, ge=1, le=1000, description="connections kept by each process")
    database_connect_seconds: int = Field(3, ge=2, le=60, description="wait for a server to take a connection")
    database_pool_seconds: float = Field(2, gt=0, le=60, description="wait of a page for a free connection")
    database_statement_seconds: float = Field(5, gt=0, le=300, description="wait of a page for one statement")
    database_long_seconds: float = Field(
        900, gt=0, le=86_400, description="the same for commands, jobs, freezes, imports, exports and proofs"
    )
    database_tcp_seconds: int = Field(10, ge=2, le=300, description="silence after which a network connection is dead")

    @property
    def page_limits(self) -> TimeLimits:
        """How long a page waits for the database."""
        return TimeLimits(
            connect=self.database_connect_seconds,
            pool=self.database_pool_seconds,
            statement=self.database_statement_seconds,
            long_statement=self.database_long_seconds,
            tcp=self.database_tcp_seconds,
        )

    @property
    def command_limits(self) -> TimeLimits:
        """How long commands and background work wait for it."""
        return self.page_limits.for_commands()

    @field_validator("database_url")
    @classmethod
    def _is_a_database(cls, value: str) -> str:
        return database_address(value)


class Settings(DatabaseSettings):
    """What an installation may choose. Secrets have no default: the demonstration makes its own and says so."""

    base_url: str = Field("http://127.0.0.1:8000", description="public address; it is printed in every code")
    relying_party_id: str | None = Field(
        None, description="host name that passkeys are made for: that of base_url, or a domain that holds it"
    )
    secret_key: SecretStr = Field(description="signs the forms' tokens; 32 random bytes or more")
    master_key: SecretStr = Field(description="encrypts signing keys at rest; 64 hexadecimal digits")
    is_demo: bool = Field(False, description="shows the demonstration banner and accounts")
    second_factor_required: bool | None = Field(
        None,
        description="finance, programme and issuers show two factors; true unless is_demo, where both can be tried",
    )
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
    provider_client_id: str = Field(
        "", description="what the identity provider (ProConnect) calls us; with the next two, or none of the three"
    )
    provider_client_secret: SecretStr | None = Field(None, description="what it gave us to prove that we are that")
    provider_discovery_url: str = Field("", description="its address that ends with /.well-known/openid-configuration")
    provider_levels: str = Field(
        "eidas2 eidas3", description="levels (acr) that finance must show and that count as two factors"
    )
    provider_max_age: bool = Field(
        True, description="false where the provider refuses max_age, as ProConnect does: prompt=login alone is sent"
    )
    chart_file: Path | None = Field(
        None, description="TOML file with the accountant's own numbers and names of accounts"
    )
    revenue_order_days: int = Field(
        60, ge=1, le=3650, description="days after which an overpayment that did not come back may be claimed"
    )
    statement_days: int = Field(
        7, ge=1, le=366, description="days without a statement of a paying account after which finance is warned"
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

    idle_finance_minutes: int = Field(
        USUAL_IDLE_LIMITS.finance_minutes,
        ge=1,
        le=IDLE_MINUTES_MAX,
        description="minutes without a page after which who pays signs in again",
    )
    idle_counter_minutes: int = Field(
        USUAL_IDLE_LIMITS.counter_minutes,
        ge=1,
        le=IDLE_MINUTES_MAX,
        description="the same at a counter: mediators and place managers",
    )
    idle_minutes: int = Field(
        USUAL_IDLE_LIMITS.other_minutes, ge=1, le=IDLE_MINUTES_MAX, description="the same for everybody else"
    )

    @property
    def idle_limits(self) -> IdleLimits:
        """How long a session may stay without a page."""
        return IdleLimits(
            finance_minutes=self.idle_finance_minutes,
            counter_minutes=self.idle_counter_minutes,
            other_minutes=self.idle_minutes,
        )

    @model_validator(mode="after")
    def _alerts_before_it_stops(self) -> Self:
        if self.backing_alert_percent < self.backing_stop_percent:
            raise ValueError("PASS_BACKING_ALERT_PERCENT : écrivez au moins PASS_BACKING_STOP_PERCENT")
        return self

    @model_validator(mode="after")
    def _provider_is_whole_or_absent(self) -> Self:
        settings = {
            "PASS_PROVIDER_CLIENT_ID": self.provider_client_id,
            "PASS_PROVIDER_CLIENT_SECRET": self.provider_client_secret,
            "PASS_PROVIDER_DISCOVERY_URL": self.provider_discovery_url,
        }
        given = [name for name, value in settings.items() if value]
        if missing := [name for name in settings if name not in given] if given else []:
            raise ValueError(f"{given[0]} : donnez aussi {' et '.join(missing)}, ou aucun des trois")
        return self

    @field_validator("provider_client_id", "provider_levels")
    @classmethod
    def _is_printable(cls, value: str) -> str:
        if not value.isascii() or not value.isprintable() or len(value) > LINE_LENGTH_MAX:
            raise ValueError(f"écrivez des lettres et des chiffres sur une ligne, {LINE_LENGTH_MAX} signes au plus")
        return value.strip()

    @field_validator("provider_levels")
    @classmethod
    def _has_a_level(cls, value: str) -> str:
        if not value:
            raise ValueError("écrivez un niveau au moins, par exemple eidas2")
        return value

    @field_validator("provider_client_secret")
    @classmethod
    def _is_no_empty_secret(cls, value: SecretStr | None) -> SecretStr | None:
        return value if value is not None and value.get_secret_value().strip() else None

    @field_validator("provider_discovery_url")
    @classmethod
    def _is_a_discovery(cls, value: str) -> str:
        return discovery_address(value) if value else value

    @model_validator(mode="after")
    def _makes_passkeys(self) -> Self:
        try:
            _ = self.relying_party
        except ValueError as error:
            raise ValueError(f"PASS_RELYING_PARTY_ID : {error}") from None
        return self

    @field_validator("base_url")
    @classmethod
    def _stands_in_a_code(cls, value: str) -> str:
        code_prefix(value)
        return value

    @field_validator("programme_name", "help_contact", "help_phone")
    @classmethod
    def _is_a_line_of_words(cls, value: str) -> str:
        if not value.strip() or not value.isprintable() or len(value) > WORDS_LENGTH_MAX:
            raise ValueError(f"écrivez quelques mots sur une ligne, {WORDS_LENGTH_MAX} signes au plus")
        return value

    @field_validator("data_folder")
    @classmethod
    def _is_a_folder(cls, value: Path) -> Path:
        if "\0" in str(value) or (value.exists() and not value.is_dir()):
            raise ValueError("ce n’est pas un dossier : écrivez le chemin d’un dossier")
        return value

    @field_validator("chart_file")
    @classmethod
    def _is_a_file(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError("ce fichier n’existe pas : écrivez le chemin du plan comptable, ou retirez ce réglage")
        return value

    @field_validator("smtp_url")
    @classmethod
    def _is_a_mail_server(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            smtp_server(value.get_secret_value())
        return value

    @field_validator("mail_from")
    @classmethod
    def _is_a_mailbox(cls, value: str) -> str:
        return mailbox(value)

    @field_validator("secret_key")
    @classmethod
    def _is_long(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value().encode()) < SECRET_BYTES_MIN:
            raise ValueError(f"trop court : donnez {SECRET_BYTES_MIN} octets tirés au hasard, ou plus")
        return value

    @field_validator("master_key")
    @classmethod
    def _is_hexadecimal(cls, value: SecretStr) -> SecretStr:
        if not re.fullmatch(r"[0-9A-Fa-f]{64}", value.get_secret_value()):
            raise ValueError("donnez 64 chiffres hexadécimaux, 32 octets tirés au hasard")
        return value

    @property
    def asks_second_factor(self) -> bool:
        """Whether who counts among two people must show a second factor."""
        return not self.is_demo if self.second_factor_required is None else self.second_factor_required

    @property
    def relying_party(self) -> RelyingParty:
        """For whom passkeys are made."""
        return relying_party(self.base_url, self.relying_party_id)

    @property
    def master_secret(self) -> bytes:
        """The bytes of `master_key`, as the rooms that seal and derive keys take them."""
        return bytes.fromhex(self.master_key.get_secret_value())


def read_settings() -> Settings:
    """Return the settings of the environment. Raises WrongSettings."""
    try:
        return Settings()  # type: ignore[call-arg]  # pydantic fills it from the environment
    except ValidationError as error:
        raise WrongSettings([_line(one) for one in error.errors()]) from None


def read_database_url() -> str:
    """Return the address of the database, from the environment or the embedded default. Raises WrongSettings."""
    return read_database_settings().database_url


def read_database_settings() -> DatabaseSettings:
    """Return where the database is and how long it is waited for. Raises WrongSettings."""
    try:
        return DatabaseSettings()  # type: ignore[call-arg]
    except ValidationError as error:
        raise WrongSettings([_line(one) for one in error.errors()]) from None


def refuse_wrong_settings() -> None:
    """Raise WrongSettings when what the environment gives is wrong; what it does not give may not be needed."""
    try:
        Settings()  # type: ignore[call-arg]  # pydantic fills it from the environment
    except ValidationError as error:
        if wrong := [one for one in error.errors() if one["type"] != "missing"]:
            raise WrongSettings([_line(one) for one in wrong]) from None


def _line(error: ErrorDetails) -> str:
    """Say one of pydantic's errors; a rule on several settings (it has no place) names them itself."""
    sentence = error["msg"].removeprefix("Value error, ") if error["type"] == "value_error" else ""
    if not error["loc"]:
        return sentence
    name = str(error["loc"][0])
    return f"PASS_{name.upper()} : {sentence or _what_to_write(name, error['type'])}"


def _what_to_write(name: str, kind: str) -> str:
    if kind == "missing":
        return "à donner"
    if kind == "string_unicode":
        return "des signes ne se lisent pas : écrivez-le en UTF-8"
    field = Settings.model_fields[name]
    if field.annotation in (bool, bool | None):
        return "écrivez true ou false"
    bounds = {key: getattr(rule, key) for rule in field.metadata for key in ("gt", "ge", "le") if hasattr(rule, key)}
    whole = "entier " if field.annotation is int else ""
    low = f"de {bounds['ge']} à" if "ge" in bounds else f"plus grand que {bounds['gt']}, jusqu’à"
    return f"écrivez un nombre {whole}{low} {bounds['le']}"
