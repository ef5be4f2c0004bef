"""What there is to tell as plain text, for channels that know no more. Pure."""

from __future__ import annotations

from medic_core.domain.routing.messages import Group, Message, Notice, Notification, Question, headline

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
        case Notice(question=Question() as question) if question.is_open:
            return f"{message.because}\n{_question(question)}"
        case _:
            return message.because


def _question(question: Question) -> str:
    lines = [f"{number}. {step}" for number, step in enumerate(question.steps[:MOST_LINES], 1)]
    more = len(question.steps) - MOST_LINES
    lines += [f"and {more} more"] if more > 0 else []
    lines.append(f"until {question.expires_at:%Y-%m-%d %H:%M:%S} UTC")
    if question.approvers:
        lines.append(f"must agree: {question.approvers_required} of: {', '.join(question.approvers)}")
    elif question.approvers_required > 1:
        lines.append(f"{question.approvers_required} people must agree")
    if question.url:
        asked_for = "your API key" if question.wants_identity else f"this code: {question.code}"
        lines += [f"See every step, and decide: {question.url}", f"The page asks for {asked_for}"]
    return "\n".join(lines)


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
