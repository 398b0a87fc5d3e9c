"""What can go wrong for a person. The text of a `UserError` is the sentence that they read:

UserError
├── InvalidRequest      the request can't be painted as it stands
├── PromptRefused       the policy says no to the text
├── PictureRefused      the policy says no to an attached picture
├── QuotaExceeded       the member has used up what they may paint for now
├── QueueFull           the bot can't take more work at the moment
├── ConsentRequired     the licence's use restrictions were not agreed to yet
├── NotAllowed          the person may not do this
├── NotFound            the job is not there (any more)
├── JobCancelled        somebody took the job back
├── PaintingFailed      the engine could not finish this one job
└── ModelUnavailable    the model's files are missing or can't be used
"""

from __future__ import annotations

from datetime import datetime

from domain.policy import Verdict


class UserError(Exception):
    """Its text is shown to the person who asked, as it is.

    `is_approved`: the policy has judged the request and let it through, so its words may be kept and repeated.
    """

    is_approved = False


class InvalidRequest(UserError):
    """The request can't be painted as it stands."""


class QuotaExceeded(UserError):
    """`retry_at` says when the same request would be taken, if that is known."""

    def __init__(self, sentence: str, retry_at: datetime | None = None) -> None:
        super().__init__(sentence)
        self.retry_at = retry_at


class QueueFull(UserError):
    """The bot can't take more work at the moment."""


class ConsentRequired(UserError):
    """The member has not agreed to the current terms yet; the request waits for it under `pending_id`."""

    def __init__(self, sentence: str, pending_id: int = 0) -> None:
        super().__init__(sentence)
        self.pending_id = pending_id


class NotAllowed(UserError):
    """The person may not do this."""


class NotFound(UserError):
    """What was asked for does not exist, or not any more."""


class JobCancelled(UserError):
    """Somebody took the job back before it was finished."""


class PaintingFailed(UserError):
    """The engine could not finish this one job; nothing was charged."""


class ModelUnavailable(UserError):
    """The model's files are missing, damaged or not allowed."""


class PictureRefused(UserError):
    """An attached start picture or mask is not acceptable."""


class PromptRefused(UserError):
    """The policy says no; `verdict` holds the grounds, `decision_id` the record of it once there is one.

    The member reads `sentence` (the verdict's reason if it is empty) and then `notice`: what the refusal means for
    them. `is_appealable` says whether moderators may look at it again.
    """

    def __init__(
        self,
        verdict: Verdict,
        decision_id: int | None = None,
        notice: str = "",
        *,
        sentence: str = "",
        is_appealable: bool = False,
    ) -> None:
        super().__init__(f"{sentence or verdict.reason} {notice}".strip())
        self.verdict = verdict
        self.decision_id = decision_id
        self.is_appealable = is_appealable
