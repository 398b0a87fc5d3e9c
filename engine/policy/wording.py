"""The sentences that members read: they name the clause and the way to appeal, and repeat no word of the prompt."""

from __future__ import annotations

_APPEAL = "If this is a mistake, press Appeal and a moderator will look at it."

_GROUNDS: dict[str, str] = {
    "a": "Licence, clause (a): this asks for something that breaks the law.",
    "b": "Licence, clause (b): the protection of minors. This can't be appealed.",
    "c": "Licence, clause (c): this looks like false information made to harm somebody.",
    "d": "Licence, clause (d): this contains or asks for somebody's personal data.",
    "e": "Licence, clause (e): this mocks, slanders or harasses somebody.",
    "f": "Licence, clause (f): no automatic decisions about people's rights or duties.",
    "g": "Licence, clause (g): no rating or sorting of people by their behaviour or character.",
    "h": "Licence, clause (h): this takes advantage of people in a weak position.",
    "i": "Licence, clause (i): this discriminates against a group of people.",
    "j": "Licence, clause (j): no medical advice and no reading of medical results.",
    "k": "Licence, clause (k): nothing for courts, police work, immigration or asylum cases.",
    "adult": "House rule: adult content is only for age-restricted channels whose moderators allowed it.",
    "gore": "House rule: no extreme violence or gore here.",
    "self_harm": "House rule: nothing that shows or encourages self-harm. If you are in a dark place, please talk to "
    "someone: findahelpline.com lists free help in your country.",
    "real_person": "House rule: no sexual or degrading pictures of real people.",
    "length": "This prompt is too long to be judged; please shorten it.",
}


def grounds(clause: str, *, appealable: bool) -> str:
    """The reason for a refusal under `clause`, with the way to appeal where there is one."""
    sentence = _GROUNDS.get(clause, "This is against the rules of this bot.")
    return f"{sentence} {_APPEAL}" if appealable else sentence
