"""Everything else: e-mail, Teams, Discord, Telegram, SNS and whatever else the Apprise library reaches."""
