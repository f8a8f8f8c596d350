"""The audit archive, which carries its own verifier: what lets a stranger prove the books without this code or its database."""
