"""What there is to tell as plain text, for channels that know no more. Pure."""

from __future__ import annotations

from medic_core.domain.routing.messages import Group, Message, Notification, headline

#: Longer texts are cut by some of those that Apprise reaches, each in its own way.
MOST_LINES = 30


def title(message: Message) -> str:
    """One line."""
    return f"Medic: {headline(message)}"


def text(message: Message) -> str:
    """The rest."""
    match message:
        case Group(notifications=notifications):
            return _of_group(notifications)
        case Notification():
            return _of_one(message)
        case _:
            return message.because


def _of_one(notification: Notification) -> str:
    lines = [
        notification.because,
        f"{notification.priority.upper()} since {notification.overdue_since:%Y-%m-%d %H:%M:%S} UTC",
    ]
    if notification.team:
        lines.append(f"team {notification.team}")
    if notification.runbook:
        lines.append(f"runbook: {notification.runbook}")
    return "\n".join(lines)


def _of_group(notifications: tuple[Notification, ...]) -> str:
    lines = [f"{one.priority.upper()} {headline(one)}" for one in notifications[:MOST_LINES]]
    more = len(notifications) - MOST_LINES
    return "\n".join(lines + ([f"and {more} more"] if more > 0 else []))
