"""The office: pages for the programme, issuers, prescribers, finance and auditors; one folder of pages for each.

Views are thin: they read a form, call one use case, show its answer. They never see SQLAlchemy.
"""
