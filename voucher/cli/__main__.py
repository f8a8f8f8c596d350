"""`python -m voucher.cli`."""

from voucher.cli.main import main

if __name__ == "__main__":
    main()
