"""An identity provider (OpenID Connect): ProConnect, or another that speaks as it does (ADR 37).

Owns what proves a person there, the way to it and back, and which account that opens. It believes nothing that it has not checked,
opens no account, and reads nobody's e-mail address from it.
"""
