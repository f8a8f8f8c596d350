"""What is checked before anything starts: the settings of the environment, and the chart of accounts that they name."""

from voucher.kernel.settings import Settings, WrongSettings, read_settings
from voucher.ledger.chart_file import WrongChart, chart_numbers


def settings_of_environment() -> Settings:
    """Return the settings. Raises WrongSettings, which names each variable at fault and says what to write."""
    settings = read_settings()
    try:
        chart_numbers(settings.chart_file)
    except WrongChart as wrong:
        raise WrongSettings([f"PASS_CHART_FILE : {error}" for error in wrong.errors]) from None
    return settings
