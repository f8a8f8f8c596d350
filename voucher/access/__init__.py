"""Who may do what: staff accounts, roles, passwords, sessions, the audit trail. Beneficiaries never sign in.

Nobody sets somebody else's password: a person chooses it with a one-time link (`links`), and what could make one person two
(`changes`) takes two. It stands on the kernel and the outbox alone: issuers, prescribers and structures are known here by their ids.
"""
