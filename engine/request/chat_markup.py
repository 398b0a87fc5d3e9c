"""What Discord puts into a text that is no word of it: emoji, mentions, time stamps, Markdown."""

from __future__ import annotations

import re

# discord.com/developers/docs/reference#message-formatting
_TOKENS = re.compile(
    r"<a?:\w{1,64}:\d+>"  # a server's own emoji, perhaps animated
    r"|<(?:@[!&]?|#)\d+>"  # a member, role or channel
    r"|<t:-?\d+(?::[a-zA-Z])?>"  # a time
    r"|</[^<>:]{1,100}:\d+>"  # a slash command
    r"|<id:\w+(?::\d+)?>"  # a part of the server's guide
    r"|(?<!\w)@(?:everyone|here)\b"
)
# Unicode's emoji with the default of a coloured picture, or with the mark for one (unicode.org/reports/tr51), and what
# joins them. Hearts, stars and notes without that mark are characters of titles and tags, and stay.
_PICTURE = (
    "\u231a\u231b\u23e9-\u23f3\u25fd\u25fe\u2614\u2615\u2648-\u2653\u267f\u2693\u26a1\u26aa\u26ab\u26bd\u26be\u26c4\u26c5"
    "\u26ce\u26d4\u26ea\u26f2\u26f3\u26f5\u26fa\u26fd\u2705\u270a\u270b\u2728\u274c\u274e\u2753-\u2755\u2757\u2795-\u2797\u27b0"
    "\u27bf\u2b1b\u2b1c\u2b50\u2b55\U0001f004\U0001f0cf\U0001f18e\U0001f191-\U0001f19a\U0001f1e6-\U0001f1ff\U0001f201\U0001f21a"
    "\U0001f22f\U0001f232-\U0001f23a\U0001f250\U0001f251\U0001f300-\U0001f64f\U0001f680-\U0001f6ff\U0001f7e0-\U0001f7eb"
    "\U0001f90c-\U0001f9ff\U0001fa70-\U0001faff"
)
_JOINERS = "\u200d\ufe0f\u20e3\U000e0020-\U000e007f"
_EMOJI = re.compile(rf"(?:[{_PICTURE}]|[^\w\s]\ufe0f|[0-9#*]\ufe0f?\u20e3)[{_PICTURE}{_JOINERS}]*")
_MARKDOWN = re.compile(r"\*\*+|~~|\|\||`+")


def without_markup(text: str) -> str:
    """The text with a space for each of these, so that no two words become one."""
    return _MARKDOWN.sub(" ", _EMOJI.sub(" ", _TOKENS.sub(" ", text)))
