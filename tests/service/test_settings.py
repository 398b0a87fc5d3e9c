"""What a server can choose, what it can't, what the panel shows, and which roles moderate."""

from __future__ import annotations

from typing import Any

import pytest

from db import appeals, audit
from domain import InvalidRequest
from domain.settings import ChannelLevel, ChannelSettings, FromPictures, GuildSettings
from service.context import Context
from service.settings import MAX_MODERATOR_ROLES, ServerSettings
from service.topics import Topic
from tests.support.people import CHANNEL, GUILD, MODERATOR
from tests.support.requests import NOW


@pytest.fixture
def settings(context: Context) -> ServerSettings:
    return ServerSettings(context)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"max_images": 5}, "from 1 to 4"),
        ({"max_images": 0}, "from 1 to 4"),
        ({"retention_days": 0}, "from 1 to 3650"),
        ({"image_to_image": "friends"}, "everyone, roles, moderators, nobody"),
        ({"allowed_shapes": ("round",)}, "portrait, square, landscape"),
        ({"language": "tlh"}, "en, de, es, fr"),
    ],
)
async def test_a_setting_that_cannot_be_is_refused_with_what_can(
    settings: ServerSettings, context: Context, values: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidRequest, match=words):
        await settings.change(GUILD, MODERATOR, shape="portrait", **values)
    assert await settings.fetch(GUILD) == GuildSettings()
    assert await audit.search(context.database, GUILD) == []


@pytest.mark.parametrize("values", [{"max_images": 1}, {"retention_days": 3650}, {"retention_days": None}])
async def test_the_last_possible_values_are_taken(settings: ServerSettings, values: dict[str, Any]) -> None:
    await settings.change(GUILD, MODERATOR, **values)
    stored = await settings.fetch(GUILD)
    assert {name: getattr(stored, name) for name in values} == values


async def test_choices_read_back_as_enums(settings: ServerSettings) -> None:
    await settings.change(GUILD, MODERATOR, image_to_image="roles")
    await settings.change(GUILD, MODERATOR, channel_id=CHANNEL, level="adult")
    assert (await settings.fetch(GUILD)).image_to_image is FromPictures.ROLES
    assert (await settings.fetch_channel(GUILD, CHANNEL)).level is ChannelLevel.ADULT
    assert await settings.fetch_channel(GUILD, CHANNEL + 1) == ChannelSettings()


async def test_a_change_is_announced_after_its_commit(settings: ServerSettings, context: Context) -> None:
    heard: list[Topic] = []
    for topic in (Topic.SETTINGS, Topic.AUDIT):
        context.topics.subscribe(topic, lambda _, topic=topic: heard.append(topic))
    await settings.change(GUILD, MODERATOR, max_images=2)
    assert heard == [Topic.SETTINGS, Topic.AUDIT]


# ---- the panel -------------------------------------------------------------------------------------------------------


async def test_a_form_that_is_saved_gives_the_panel_as_it_is_from_now_on(settings: ServerSettings) -> None:
    panel = await settings.change_in_panel(GUILD, MODERATOR, CHANNEL, max_images=2, preset="fast")
    assert (panel.settings.max_images, panel.settings.preset) == (2, "fast")
    assert panel.channel == ChannelSettings()
    panel = await settings.change_in_panel(GUILD, MODERATOR, CHANNEL, channel_id=CHANNEL, level="strict")
    assert (panel.channel.level, panel.settings.max_images) == (ChannelLevel.STRICT, 2)
    assert panel == await settings.fetch_panel(GUILD, CHANNEL)


async def test_the_panel_shows_its_own_channel_and_no_other(settings: ServerSettings, context: Context) -> None:
    panel = await settings.change_in_panel(GUILD, MODERATOR, CHANNEL, channel_id=CHANNEL + 1, level="off")
    assert panel.channel == ChannelSettings()
    assert not panel.needs_approval
    async with context.writing() as connection:
        await appeals.set_approval(connection, GUILD, CHANNEL, True, MODERATOR, NOW)
    assert (await settings.fetch_panel(GUILD, CHANNEL)).needs_approval
    assert not (await settings.fetch_panel(GUILD, CHANNEL + 1)).needs_approval


# ---- roles that moderate ---------------------------------------------------------------------------------------------


async def test_a_role_moderates_until_it_is_taken_off_the_list(settings: ServerSettings, context: Context) -> None:
    assert await settings.change_moderators(GUILD, MODERATOR, 7, remove=False) == (7,)
    assert await settings.change_moderators(GUILD, MODERATOR, 8, remove=False) == (7, 8)
    assert await settings.change_moderators(GUILD, MODERATOR, 8, remove=False) == (7, 8)
    assert (await settings.fetch(GUILD)).moderator_role_ids == (7, 8)
    assert await settings.change_moderators(GUILD, MODERATOR, 7, remove=True) == (8,)
    assert await settings.change_moderators(GUILD, MODERATOR, 8, remove=True) == ()
    assert (await settings.fetch(GUILD)).moderator_role_ids == ()
    assert len(await audit.search(context.database, GUILD)) == 4  # naming a role twice changes nothing


async def test_everyone_can_never_moderate(settings: ServerSettings) -> None:
    with pytest.raises(InvalidRequest, match="Everyone can't be a moderator"):
        await settings.change_moderators(GUILD, MODERATOR, GUILD, remove=False)


async def test_at_most_ten_roles_moderate(settings: ServerSettings) -> None:
    for role_id in range(1, MAX_MODERATOR_ROLES + 1):
        await settings.change_moderators(GUILD, MODERATOR, role_id, remove=False)
    with pytest.raises(InvalidRequest, match="At most 10 roles can moderate"):
        await settings.change_moderators(GUILD, MODERATOR, 99, remove=False)
    assert len((await settings.fetch(GUILD)).moderator_role_ids) == 10
