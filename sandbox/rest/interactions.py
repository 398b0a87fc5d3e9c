"""Routes that answer interactions: the first answer within seconds, then the webhook of the token."""

from __future__ import annotations

from enum import IntEnum

from aiohttp import web

from sandbox.rest.forms import InvalidForm
from sandbox.rest.modal_rules import modal_problems
from sandbox.rest.routing import Route, Routes, id_in, json_response, nothing
from sandbox.rest.uploads import Body, read_body
from sandbox.world.payloads import message_json, without_embedded
from sandbox.world.things import EPHEMERAL, LOADING, SILENT, SUPPRESS_EMBEDS, V2, ApiError, Interaction, Json, Message

AUTOCOMPLETE, MODAL_SUBMIT = 4, 5


class Callback(IntEnum):
    """What a first answer is."""

    MESSAGE = 4
    DEFERRED = 5
    DEFERRED_UPDATE = 6
    UPDATE = 7
    CHOICES = 8
    MODAL = 9


class InteractionRoutes(Routes):
    def routes(self) -> list[Route]:
        message = "/webhooks/{application_id}/{token}/messages/{message_id}"
        return [
            ("POST", "/interactions/{interaction_id}/{token}/callback", self.callback),
            ("POST", "/webhooks/{application_id}/{token}", self.followup),
            ("GET", message, self.get_response),
            ("PATCH", message, self.edit_response),
            ("DELETE", message, self.delete_response),
        ]

    # ---- the first answer ------------------------------------------------------------------------------------------

    async def callback(self, request: web.Request) -> web.Response:
        body = await read_body(request)
        interaction = self.world.by_token(request.match_info["token"], answered=False)
        if interaction.id != id_in(request, "interaction_id"):
            raise ApiError(404, 10062, "Unknown interaction")
        kind = int(body.data["type"])
        _require_fitting(interaction, kind)
        try:
            self._answer(interaction, kind, Body(body.data.get("data") or {}, body.files))
        except InvalidForm as error:
            raise error.below("data") from None
        interaction.acknowledged = kind
        self._tell_acknowledged(interaction)
        if request.query.get("with_response") not in ("true", "1"):
            return nothing()
        return json_response(self._callback_answer(interaction))

    def _answer(self, interaction: Interaction, kind: int, body: Body) -> None:
        match kind:
            case Callback.MESSAGE:
                interaction.response_message_id = self._post(interaction, body).id
            case Callback.DEFERRED:
                flags = int(body.data.get("flags", 0)) & EPHEMERAL | LOADING
                interaction.response_message_id = self._post(interaction, Body({"flags": flags}, {})).id
            case Callback.DEFERRED_UPDATE:
                interaction.response_message_id = interaction.source_message_id
            case Callback.UPDATE:
                source = self.world.message(interaction.channel_id, interaction.source_message_id or 0)
                interaction.response_message_id = self.bot_messages.edit(source, body).id
            case Callback.CHOICES:
                interaction.choices = body.data["choices"]
            case _:
                if problems := list(modal_problems(body.data)):
                    raise InvalidForm(problems)
                interaction.modal = body.data

    def _callback_answer(self, interaction: Interaction) -> Json:
        message = self.world.messages.get(interaction.response_message_id or 0)
        answer: Json = {
            "interaction": {
                "id": str(interaction.id),
                "type": interaction.type,
                "response_message_id": str(message.id) if message else None,
                "response_message_loading": bool(message and message.is_thinking),
                "response_message_ephemeral": bool(message and message.flags & EPHEMERAL),
            },
            "resource": {"type": interaction.acknowledged},
        }
        if message and interaction.acknowledged in (Callback.MESSAGE, Callback.UPDATE):
            answer["resource"]["message"] = self._shown(message)
        return answer

    def _tell_acknowledged(self, interaction: Interaction) -> None:
        data: Json = {"id": str(interaction.id), "type": interaction.acknowledged, "token": interaction.token}
        data |= {"modal": interaction.modal, "choices": interaction.choices}
        message_id = interaction.response_message_id
        data["message_id"] = str(message_id) if message_id else None
        self.world.tell("INTERACTION_ACKNOWLEDGED", data, interaction.channel_id, interaction.user_id)

    # ---- what follows ----------------------------------------------------------------------------------------------

    async def followup(self, request: web.Request) -> Json:
        body = await read_body(request)
        interaction = self.world.by_token(request.match_info["token"], answered=True)
        first = self.world.messages.get(interaction.response_message_id or 0)
        if first is not None and first.is_thinking:
            return self._shown(self.bot_messages.edit(first, body))
        return self._shown(self._post(interaction, body))

    async def get_response(self, request: web.Request) -> Json:
        return self._shown(self._response(request))

    async def edit_response(self, request: web.Request) -> Json:
        body = await read_body(request)
        return self._shown(self.bot_messages.edit(self._response(request), body))

    async def delete_response(self, request: web.Request) -> web.Response:
        self.world.delete(self._response(request))
        return nothing()

    def _response(self, request: web.Request) -> Message:
        """`@original`, or a message that this very token made; a token reaches no other."""
        interaction = self.world.by_token(request.match_info["token"], answered=True)
        wanted = request.match_info["message_id"]
        message_id = interaction.response_message_id if wanted == "@original" else id_in(request, "message_id")
        message = self.world.messages.get(message_id or 0)
        if message is None or not _belongs(message, interaction):
            raise ApiError(404, 10008, "Unknown Message")
        return message

    def _post(self, interaction: Interaction, body: Body) -> Message:
        """A message of the bot that belongs to an interaction; ephemeral ones are for its user only."""
        flags = int(body.data.get("flags", 0)) & (EPHEMERAL | LOADING | V2 | SUPPRESS_EMBEDS | SILENT)
        message = self.bot_messages.build(interaction.channel_id, body, flags)
        message.interaction_id = interaction.id
        message.only_for = interaction.user_id if flags & EPHEMERAL else None
        self.world.post(message)
        self.bot_messages.announce("MESSAGE_CREATE", message)
        return message

    def _shown(self, message: Message) -> Json:
        return without_embedded(message_json(self.world, message, self.bot_messages.base_url()))


def _belongs(message: Message, interaction: Interaction) -> bool:
    return message.interaction_id == interaction.id or message.id in (
        interaction.source_message_id,
        interaction.response_message_id,
    )


def _require_fitting(interaction: Interaction, kind: int) -> None:
    """Whether this kind of answer fits this kind of interaction."""
    if interaction.type == AUTOCOMPLETE:
        fits = kind == Callback.CHOICES
    elif kind in (Callback.DEFERRED_UPDATE, Callback.UPDATE):
        fits = interaction.source_message_id is not None
    elif kind == Callback.MODAL:
        fits = interaction.type != MODAL_SUBMIT
    else:
        fits = kind in (Callback.MESSAGE, Callback.DEFERRED)
    if not fits:
        raise ApiError(
            400, 50035, f"Invalid Form Body: type {kind} does not answer interaction type {interaction.type}"
        )
