"""Lengths of time as people say them."""

from __future__ import annotations

from datetime import timedelta


def spoken(length: timedelta) -> str:
    """A length of time in its two largest units: `2 d 3 h`, `5 min 10 s`, `8 s`, `40 ms`."""
    if timedelta(0) < length < timedelta(seconds=1):
        return f"{length // timedelta(milliseconds=1)} ms"
    seconds = max(0, round(length.total_seconds()))
    parts = [(seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s")]
    first = next((index for index, (count, _) in enumerate(parts) if count), len(parts) - 1)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count) or "0 s"
