"""Every table of the house, for migrations: importing this module fills the metadata."""

from voucher.access import model as access
from voucher.business_models import Base

__all__ = ["Base", "access"]
