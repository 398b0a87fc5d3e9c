"""The model's licence: its full text, its use restrictions in plain words, and the version of the terms.

The text is CreativeML Open RAIL-M of 2022-08-22 as the `licensedcode-data` package ships it (key
`stable-diffusion-2022-08-22`, CC-BY-4.0), without that package's own head.
"""

from __future__ import annotations

from pathlib import Path

TERMS_VERSION = "2026-11-23"
"""Changes whenever members have to agree again."""

LICENCE_NAME = "CreativeML Open RAIL-M (2022-08-22)"

LICENCE_FILE = Path(__file__).with_name("CreativeML-OpenRAIL-M.txt")

LICENCE_SHA256 = "b89103c51213331f724cd66c3e491d96ad0652bf7fbe19e6538f6d8f5526585b"
"""SHA-256 of the text with every run of white space made one space (copies differ in line ends only)."""

ATTRIBUTION = (
    "Waifu Diffusion v1.3 is a fine-tune of Stable Diffusion v1.4. "
    "Copyright (c) 2022 Robin Rombach and Patrick Esser and contributors (Stable Diffusion); "
    "Waifu Diffusion by its own authors. Both are under CreativeML Open RAIL-M."
)

PLAIN_RESTRICTIONS: tuple[tuple[str, str], ...] = (
    ("a", "Nothing that breaks a law: no forged papers or money, no trade in forbidden goods."),
    ("b", "Nothing that exploits or harms minors, in any way. There is no appeal."),
    ("c", "No false news, documents or scenes made to harm somebody."),
    ("d", "No personal data that could be used against a person."),
    ("e", "No mocking, slandering or harassing of people."),
    ("f", "No automatic decisions about somebody's rights or duties."),
    ("g", "No rating or sorting of people by their behaviour or character."),
    (
        "h",
        "Nothing that uses people's weakness (age, poverty, illness, despair) to lead them into harm.",
    ),
    ("i", "No discrimination by origin, faith, sex, orientation, disability or another protected trait."),
    ("j", "No medical advice and no reading of medical results."),
    ("k", "Nothing for courts, police work, immigration or asylum cases, such as predicting who commits a crime."),
)
"""The eleven restrictions of Attachment A by letter, in its order, in words for members."""

TERMS_NOTICE = (
    "The model behind this bot is subject to the CreativeML Open RAIL-M licence. Its use restrictions bind everybody "
    "who paints with it; by agreeing you promise to keep to them. You answer for the pictures you ask for."
)


def licence_text() -> str:
    """The licence in full, as it must be given to everybody who uses the model."""
    return LICENCE_FILE.read_text(encoding="utf-8")
