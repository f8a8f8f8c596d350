"""E-mails to structures and staff: queued in the transaction of the fact they tell, sent by the job `mail`. Knows no other room."""
