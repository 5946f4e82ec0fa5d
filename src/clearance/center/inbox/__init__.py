"""The approver's page: what waits, what exactly would run, and two buttons."""
