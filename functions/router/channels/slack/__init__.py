"""Slack, by chat.postMessage. Limits of Block Kit: 50 blocks, 3,000 characters in a text (api.slack.com)."""
