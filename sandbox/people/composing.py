"""What a client puts together before it sends: commands with options, selects, filled-in modals; what it refuses."""

from __future__ import annotations

from typing import Any

from sandbox.people import fields
from sandbox.people.refused import Refused
from sandbox.rest.uploads import new_attachment
from sandbox.world import layout
from sandbox.world.payloads import attachment_json, channel_json, member_json, role_json, user_json
from sandbox.world.things import Attachment, Channel, Guild, Json
from sandbox.world.world import World

STRING, INTEGER, BOOLEAN, USER, CHANNEL, ROLE, MENTIONABLE, NUMBER, ATTACHMENT = 3, 4, 5, 6, 7, 8, 9, 10, 11


class Composer:
    """Collects one command's options with what they refer to (`resolved`) and the files that go with them."""

    def __init__(self, world: World, base_url: str, user_id: int, channel: Channel) -> None:
        self.world, self.base_url, self.user_id, self.channel = world, base_url, user_id, channel
        self.resolved: Json = {}
        self.files: list[Attachment] = []

    def command(self, command: Json, path: list[str], options: Json) -> Json:
        """The payload of a slash command; `path` names the group and subcommand."""
        node, wrappers = command, list[tuple[str, int]]()
        for step in path:
            node = next((one for one in node["options"] if one["name"] == step), None)
            if node is None:
                raise Refused(f"/{command['name']} has no {step}")
            wrappers.append((step, node["type"]))
        given = [self._option(node, name, value) for name, value in options.items()]
        for name, kind in reversed(wrappers):
            given = [{"name": name, "type": kind, "options": given}]
        data: Json = {"id": command["id"], "name": command["name"], "type": 1, "options": given}
        if "guild_id" in command:
            data["guild_id"] = command["guild_id"]
        return {"type": 2, "data": data | self._resolved()}

    def select(self, component: Json, values: list[str]) -> Json:
        """The data of a select menu; people, roles and channels are given by id."""
        return {"values": self._chosen(component, values)} | self._resolved()

    def _chosen(self, menu: Json, given: Any) -> list[str]:
        """What is chosen in a menu; people, roles and channels are put into `resolved`."""
        chosen = fields.chosen(menu, given)
        if menu["type"] in layout.ENTITY_SELECTS:
            for value in chosen:
                self.refer(int(value))
        return chosen

    def refer(self, target: int) -> None:
        """Put a user, channel or role into `resolved`."""
        world, guild = self.world, self.world.guilds.get(self.channel.guild_id or 0)
        if target in world.users:
            self._add("users", target, user_json(world.users[target]))
            if guild is not None and target in guild.members:
                self._add("members", target, _short_member(world, guild, target, self.channel))
        elif target in world.channels:
            channel = world.channels[target]
            permissions = str(world.permissions(self.user_id, channel))
            self._add("channels", target, channel_json(world, channel) | {"permissions": permissions})
        elif guild is not None and target in guild.roles:
            self._add("roles", target, role_json(guild.roles[target]))
        else:
            raise Refused(f"nothing here has the id {target}")

    def attach(self, name: str, data: bytes) -> str:
        """Upload a file; its id."""
        attachment = new_attachment(self.world, name, data)
        self.files.append(attachment)
        self._add("attachments", attachment.id, attachment_json(attachment, 0, self.base_url))
        return str(attachment.id)

    def _option(self, command: Json, name: str, value: Any) -> Json:
        definition = next((one for one in command.get("options") or [] if one["name"] == name), None)
        if definition is None:
            raise Refused(f"{command['name']} has no option {name}")
        kind = definition["type"]
        check_value(definition, value)
        if kind == ATTACHMENT:
            value = self.attach(value[0], value[1])
        elif kind in (USER, CHANNEL, ROLE, MENTIONABLE):
            self.refer(int(value))
            value = str(value)
        return {"name": name, "type": kind, "value": value}

    def _add(self, kind: str, key: int, value: Json) -> None:
        self.resolved.setdefault(kind, {})[str(key)] = value

    def _resolved(self) -> Json:
        return {"resolved": self.resolved} if self.resolved else {}

    # ---- modals ----------------------------------------------------------------------------------------------------

    def modal(self, modal: Json, values: Json) -> Json:
        """The payload of a filled-in modal; `values` by the fields' custom_id, the rest keeps what it showed."""
        known = {one["custom_id"] for row in modal["components"] for one in _fields(row)}
        if unknown := values.keys() - known:
            raise Refused(f"the form has no {sorted(unknown)}, only {sorted(known)}")
        rows = [self._row(row, values) for row in modal["components"]]
        return {"type": 5, "data": {"custom_id": modal["custom_id"], "components": rows} | self._resolved()}

    def _row(self, row: Json, values: Json) -> Json:
        shown: Json = {"type": row["type"], "id": row.get("id", 1)}
        if "component" in row:
            return shown | {"component": self._field(row["component"], values)}
        if "components" in row:
            return shown | {"components": [self._field(one, values) for one in row["components"]]}
        return shown

    def _field(self, field: Json, values: Json) -> Json:
        custom_id, kind = field["custom_id"], field["type"]
        shown: Json = {"type": kind, "id": field.get("id", 1), "custom_id": custom_id}
        given = values.get(custom_id)
        match kind:
            case layout.TEXT_INPUT:
                return shown | {"value": fields.text(field, given)}
            case layout.FILE_UPLOAD:
                uploads = fields.files(field, given, self.world.upload_limit)
                return shown | {"values": [self.attach(name, data) for name, data in uploads]}
            case layout.RADIO_GROUP:
                return shown | {"value": fields.picked(field, given)}
            case layout.CHECKBOX:
                return shown | {"value": fields.ticked(field, given)}
            case _:
                return shown | {"values": self._chosen(field, given)}


def _fields(row: Json) -> list[Json]:
    inner = [row["component"]] if "component" in row else row.get("components") or []
    return [one for one in inner if "custom_id" in one]


def _short_member(world: World, guild: Guild, user_id: int, channel: Channel) -> Json:
    member = member_json(world, guild, user_id) | {"permissions": str(world.permissions(user_id, channel))}
    del member["user"]
    return member


def check_value(definition: Json, value: Any) -> None:
    """What a client does not let people type: other types, other choices, out of range."""
    name, kind = definition["name"], definition["type"]
    if definition.get("autocomplete") and isinstance(value, str) and kind in (INTEGER, NUMBER):
        return  # half-typed
    _check_type(name, kind, value)
    if definition.get("choices") and value not in [one["value"] for one in definition["choices"]]:
        raise Refused(f"{name} is one of {[one['value'] for one in definition['choices']]}")
    measure = len(value) if isinstance(value, str) else value
    low, high = ("min_length", "max_length") if isinstance(value, str) else ("min_value", "max_value")
    if kind in (STRING, INTEGER, NUMBER):
        if low in definition and measure < definition[low] and not definition.get("autocomplete"):
            raise Refused(f"{name} is below {definition[low]}")
        if high in definition and measure > definition[high]:
            raise Refused(f"{name} is above {definition[high]}")


def _check_type(name: str, kind: int, value: Any) -> None:
    expected: dict[int, tuple[type, ...]] = {
        STRING: (str,), INTEGER: (int,), BOOLEAN: (bool,), NUMBER: (int, float), ATTACHMENT: (tuple,),
    }  # fmt: skip
    fits = isinstance(value, expected.get(kind, (int, str)))
    if not fits or (isinstance(value, bool) and kind != BOOLEAN):
        raise Refused(f"{name} can't be {value!r}")


def mark_focused(options: list[Json], name: str) -> None:
    """Mark the option that is being typed; text that is no number yet is sent as it stands."""
    for option in options:
        if option["name"] == name:
            option["focused"] = True
        mark_focused(option.get("options", []), name)
