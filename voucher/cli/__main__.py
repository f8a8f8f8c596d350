"""`python -m voucher.cli`."""

from voucher.cli.main import main

main()
