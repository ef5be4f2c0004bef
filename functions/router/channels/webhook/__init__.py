"""Webhooks, in the envelope of the Standard Webhooks specification."""
