"""The command line: `voucher …`. One file for each topic, gathered by `main`; `environment` opens what a command works on."""
