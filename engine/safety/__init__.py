"""The content policy's picture side: every picture is judged here before anyone sees it.

checker = load_safety_checker()                       # models are loaded at the first picture
reports = checker.check(images, SafetyLevel.STRICT)   # never raises; what can't be judged is not safe
"""

from __future__ import annotations

from engine.safety.checker import PictureChecker, Rater, SafetyChecker
from engine.safety.fixed import FixedScores
from engine.safety.loading import load_safety_checker

__all__ = ["FixedScores", "PictureChecker", "Rater", "SafetyChecker", "load_safety_checker"]
