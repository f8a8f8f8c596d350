"""What the Makefile and the checks use. Nothing here runs in production."""
