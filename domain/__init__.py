"""The words of this project: what a person asks for, what becomes of it, and what can go wrong.

Plain values only (standard library), one file a topic. The words of a request's way can be had from here, too.
"""

from domain.errors import (
    ConsentRequired,
    InvalidRequest,
    JobCancelled,
    ModelUnavailable,
    NotAllowed,
    NotFound,
    PaintingFailed,
    PictureRefused,
    PromptRefused,
    QueueFull,
    QuotaExceeded,
    UserError,
)
from domain.jobs import Job, JobStatus, Picture, PictureFacts, Progress, Reading, Result, Standing, Task, Upload
from domain.models import ModelIdentity, ModelProfile
from domain.outcomes import Outcome, OutcomeCode
from domain.places import Place, SafetyLevel
from domain.policy import Action, Verdict
from domain.requests import DEFAULT_STRENGTH, SEED_LIMIT, ApprovedRequest, JobSource, Origin, Request, RequestOptions
from domain.safety import SafetyReport, SafetyVerdict

__all__ = [
    "DEFAULT_STRENGTH",
    "SEED_LIMIT",
    "Action",
    "ApprovedRequest",
    "ConsentRequired",
    "InvalidRequest",
    "Job",
    "JobCancelled",
    "JobSource",
    "JobStatus",
    "ModelIdentity",
    "ModelProfile",
    "ModelUnavailable",
    "NotAllowed",
    "NotFound",
    "Origin",
    "Outcome",
    "OutcomeCode",
    "PaintingFailed",
    "Picture",
    "PictureFacts",
    "PictureRefused",
    "Place",
    "Progress",
    "PromptRefused",
    "QueueFull",
    "QuotaExceeded",
    "Reading",
    "Request",
    "RequestOptions",
    "Result",
    "SafetyLevel",
    "SafetyReport",
    "SafetyVerdict",
    "Standing",
    "Task",
    "Upload",
    "UserError",
    "Verdict",
]
