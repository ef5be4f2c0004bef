"""PagerDuty, by Events API v2: one incident per dedup key; 202 means taken."""
