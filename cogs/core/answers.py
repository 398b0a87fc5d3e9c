"""What Discord's refusals mean for something that we want to show: one table.

Codes are those of Discord's documentation ("JSON error codes") that a bot can meet when it posts, edits, replies, opens
threads, writes direct messages or registers commands. A code that is not in the table is judged by its HTTP status.
"""

from __future__ import annotations

from enum import Enum

import aiohttp
import discord

from domain import JobStatus

# How what we say to Discord can get lost: refused, cut, too late (TimeoutError is an OSError).
LOST = (discord.HTTPException, aiohttp.ClientError, OSError)


class Meaning(Enum):
    """What to do about a refusal."""

    PASSING = "passing"  # try it again later
    ELSEWHERE = "elsewhere"  # not here any more: by direct message, if it may go there
    MESSAGE_GONE = "message gone"  # its message was deleted: nothing is posted
    REPLACE = "replace"  # the message can't be changed any more: a new one takes its place
    TOO_LARGE = "too large"  # smaller files
    NO_FILE = "no file"  # this file is not taken: a message without it, which says why
    FINAL = "final"  # nothing of it will ever be taken


_BY_CODE: dict[int, Meaning] = {
    # the place is gone or closed to us
    10003: Meaning.ELSEWHERE,  # unknown channel
    10004: Meaning.ELSEWHERE,  # unknown guild
    10013: Meaning.ELSEWHERE,  # unknown user
    20018: Meaning.ELSEWHERE,  # only the owner of this account may do that
    20024: Meaning.ELSEWHERE,  # under the minimum age
    40006: Meaning.ELSEWHERE,  # the feature is switched off for now on Discord's side
    40007: Meaning.ELSEWHERE,  # the bot is banned there
    40066: Meaning.ELSEWHERE,  # a tag is required to post in this forum
    40067: Meaning.ELSEWHERE,  # a tag is required to create a forum post
    50001: Meaning.ELSEWHERE,  # missing access
    50007: Meaning.ELSEWHERE,  # can't send messages to this user
    50008: Meaning.ELSEWHERE,  # not a text channel
    50009: Meaning.ELSEWHERE,  # the channel's verification level is too high
    50013: Meaning.ELSEWHERE,  # missing permissions
    50024: Meaning.ELSEWHERE,  # not possible in this kind of channel
    50055: Meaning.ELSEWHERE,  # invalid guild
    50083: Meaning.ELSEWHERE,  # the thread is archived
    50278: Meaning.ELSEWHERE,  # no server in common with this user
    160002: Meaning.ELSEWHERE,  # can't reply without the right to read the history
    160005: Meaning.ELSEWHERE,  # the thread is locked
    160006: Meaning.ELSEWHERE,  # too many active threads
    160007: Meaning.ELSEWHERE,  # too many active announcement threads
    # our message
    10008: Meaning.MESSAGE_GONE,  # unknown message
    10014: Meaning.FINAL,  # unknown emoji
    10015: Meaning.REPLACE,  # unknown webhook: the token is over
    10062: Meaning.REPLACE,  # unknown interaction
    30046: Meaning.REPLACE,  # edited too often within an hour
    40060: Meaning.REPLACE,  # the interaction was answered already
    50005: Meaning.REPLACE,  # not our message
    50021: Meaning.REPLACE,  # a system message
    50027: Meaning.REPLACE,  # invalid webhook token
    50068: Meaning.REPLACE,  # invalid message type
    160004: Meaning.REPLACE,  # the message has a thread already
    # the files
    20009: Meaning.NO_FILE,  # explicit content can't be sent to this recipient
    30015: Meaning.NO_FILE,  # too many attachments
    40005: Meaning.TOO_LARGE,  # request entity too large
    50045: Meaning.TOO_LARGE,  # file is too large
    50046: Meaning.NO_FILE,  # invalid file
    50146: Meaning.NO_FILE,  # the uploaded file was not found
    200000: Meaning.NO_FILE,  # blocked by the server's AutoMod
    200001: Meaning.NO_FILE,  # its title was blocked by AutoMod
    240000: Meaning.NO_FILE,  # a blocked link
    # come back later
    20016: Meaning.PASSING,  # slow mode
    20022: Meaning.PASSING,  # announcement edits are limited
    20028: Meaning.PASSING,  # the channel's write limit
    20029: Meaning.PASSING,  # the server's write limit
    30034: Meaning.PASSING,  # too many commands registered today
    40062: Meaning.PASSING,  # the service is limited
    40333: Meaning.PASSING,  # the request was blocked on the way
    130000: Meaning.PASSING,  # Discord's API is overloaded
    # our own fault, or never possible
    20012: Meaning.FINAL,  # not authorised for this application
    30032: Meaning.FINAL,  # too many commands
    50006: Meaning.FINAL,  # an empty message
    50035: Meaning.FINAL,  # an invalid form
    50041: Meaning.FINAL,  # invalid API version
    50109: Meaning.FINAL,  # invalid JSON
}

_REASONS = {
    20009: "because it takes it for explicit content",
    40005: "because it is too large, however small I make it",
    200000: "because this server's AutoMod blocked the message",
    200001: "because this server's AutoMod blocked the message",
    240000: "because it takes a link in the prompt for harmful",
}


def meaning_of(error: discord.HTTPException) -> Meaning:
    """What a refusal means. 429 and 5xx pass; another 4xx that is not in the table never will."""
    if error.status == 413:
        return Meaning.TOO_LARGE
    if error.status in (408, 425, 429) or error.status >= 500:
        return Meaning.PASSING
    if error.code in _BY_CODE:
        return _BY_CODE[error.code]
    return Meaning.ELSEWHERE if error.status in (401, 403, 404) else Meaning.FINAL


def why_without_file(error: discord.HTTPException, status: JobStatus) -> str:
    """The sentence for the member where a finished picture can't be shown as a file."""
    code = 40005 if error.status == 413 else error.code
    reason = _REASONS.get(code, f"(it answered: {error.text or error.status})")
    kept = " It is kept: Vary paints on from it, and `/privacy export` gives it to you."
    return f"Discord does not take this picture here {reason}.{kept if status is JobStatus.DONE else ''}"
