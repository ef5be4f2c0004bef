"""Badges: a label and a few words on a colour, drawn here, for pages that are not ours."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from dashboard.rendering import ENVIRONMENT
from medic_core.domain.watching.public import PublicState, Verdict

FONT_SIZE, PADDING = 11, 6
#: What does not fit is said by the title still.
LONGEST_LABEL = 48
#: In hundredths of the font's size, as Verdana has them. The drawing then makes the text as wide as was said, whatever
#: font a viewer has: close is enough.
WIDTHS = {
    character: width
    for width, characters in {
        27: "'il",
        35: " ,.fj",
        41: "!tIr",
        46: '"()-/:;[]\\|J',
        53: "csz?",
        60: "aekvxyoEFLPTY",
        64: "0123456789bdghnpqu$*_`{}",
        69: "ABCKRSVXZ",
        75: "&DHNU",
        79: "GOQ",
        83: "#+<=>^~wM",
        98: "mW@",
        108: "%",
    }.items()
    for character in characters
}
WIDTH_OF_OTHERS, WIDTH_OF_WIDE = 69, 100
#: XML can hold no such characters, not even escaped.
NOT_OF_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
#: White on each of them can be read, and their names are not needed to know what is said.
COLORS = {
    PublicState.UP: "#0b6b3a",
    PublicState.DEGRADED: "#8a4b00",
    PublicState.LATE: "#8a4b00",
    PublicState.DOWN: "#b3261e",
    PublicState.MAINTENANCE: "#0b57b0",
    PublicState.NEW: "#525c6b",
    PublicState.PAUSED: "#525c6b",
}


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of text on a badge: what is drawn, from where, and how wide it is."""

    shown: str
    x: int
    width: int

    @property
    def end(self) -> int:
        """Where its ground ends."""
        return self.x + self.width + PADDING


def drawn(label: str, said: Verdict) -> str:
    """The badge as SVG. What it says is said by its title too, for those who do not see it."""
    label = NOT_OF_XML.sub("\N{REPLACEMENT CHARACTER}", label)
    short = label if len(label) <= LONGEST_LABEL else f"{label[: LONGEST_LABEL - 1]}…"
    left = Text(short, PADDING, width_of(short))
    right = Text(said.message, left.end + PADDING, width_of(said.message))
    return ENVIRONMENT.get_template("badge.svg").render(
        title=f"{label}: {said.message}", left=left, right=right, color=COLORS[said.state], size=FONT_SIZE
    )


def width_of(text: str) -> int:
    """How wide a text is about, in pixels."""
    return max(1, round(sum(map(_width, text)) * FONT_SIZE / 100))


def _width(character: str) -> int:
    if character in WIDTHS:
        return WIDTHS[character]
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return WIDTH_OF_WIDE if unicodedata.east_asian_width(character) in {"W", "F"} else WIDTH_OF_OTHERS
