"""Second factors: passkeys, codes of an application, recovery codes. Owns what proves a person beside a password; opens no session itself."""
