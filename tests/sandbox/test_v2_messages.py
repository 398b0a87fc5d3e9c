"""Messages of the new components from a real discord.py bot: posted, changed, refused, and what of them pings."""

from __future__ import annotations

import io
from collections.abc import AsyncGenerator
from typing import Any

import discord
import pytest
from discord import ui
from discord.http import MultipartParameters, Route
from PIL import Image

from sandbox import LoopbackDiscord
from sandbox.people import Person, labels_of, media_of, text_of
from sandbox.world.things import Channel, Message
from tests.support.sandbox_bot import SandboxBot


def png(side: int = 4) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (side, 2 * side), "red").save(out, "PNG")
    return out.getvalue()


def file(name: str = "a.png", **options: Any) -> discord.File:
    return discord.File(io.BytesIO(png()), name, **options)


def layout(*items: ui.Item[Any]) -> ui.LayoutView:
    view = ui.LayoutView(timeout=None)
    for one in items:
        view.add_item(one)
    return view


def picture(name: str = "a.png", **options: Any) -> ui.MediaGallery[Any]:
    return ui.MediaGallery(discord.MediaGalleryItem(f"attachment://{name}", **options))


@pytest.fixture
async def place(
    bot: SandboxBot, paintings: Channel, discord_server: LoopbackDiscord
) -> AsyncGenerator[discord.PartialMessageable]:
    """The channel as the bot has it. A request that is refused is noted as a violation, too: these tests mean it."""
    yield bot.get_partial_messageable(paintings.id)
    discord_server.violations.clear()


def kept(world_message: Message) -> list[str]:
    return [one.filename for one in world_message.attachments]


async def newest(ana: Person, paintings: Channel) -> Message:
    return ana.sees(paintings)[-1]


# ---- posting ----


async def test_a_message_is_what_its_components_show(
    discord_server: LoopbackDiscord, ana: Person, paintings: Channel, place: discord.PartialMessageable
) -> None:
    card: ui.Container[Any] = ui.Container(accent_color=0xC2513F)
    card.add_item(ui.TextDisplay("## Title"))
    card.add_item(ui.Section("beside", accessory=ui.Thumbnail("attachment://SPOILER_b.png", description="small one")))
    card.add_item(ui.MediaGallery(discord.MediaGalleryItem("attachment://a.png", description="a hat", spoiler=True)))
    card.add_item(ui.File("attachment://c.txt"))
    row: ui.ActionRow[Any] = ui.ActionRow(ui.Button(label="Again", custom_id="again"))
    card.add_item(row)
    files = [file("a.png"), file("SPOILER_b.png"), discord.File(io.BytesIO(b"words"), "c.txt"), file("unused.png")]
    sent = await place.send(view=layout(card, ui.TextDisplay("the end")), files=files)
    message = await newest(ana, paintings)
    assert message.is_v2
    assert text_of(message) == "## Title\nbeside\nthe end"
    assert labels_of(message) == ["Again"]
    shown = [(one.number, one.kind, one.filename, one.description, one.spoiler) for one in media_of(message)]
    assert shown == [
        (1, "thumbnail", "SPOILER_b.png", "small one", True),
        (2, "gallery", "a.png", "a hat", True),
        (3, "file", "c.txt", None, False),
    ]
    assert media_of(message)[2].data == b"words"
    # Discord lists a file that a component shows there alone; one that none shows stays an attachment nobody sees.
    assert [one.filename for one in sent.attachments] == ["unused.png"]
    assert discord_server.violations == []


async def test_the_bot_gets_media_with_address_size_and_attachment(
    ana: Person, paintings: Channel, place: discord.PartialMessageable
) -> None:
    sent = await place.send(view=layout(picture(), ui.TextDisplay("x")), file=file())
    for message in (sent, await place.fetch_message(sent.id)):
        gallery = message.components[0]
        assert isinstance(gallery, discord.MediaGalleryComponent)
        media, attachment = gallery.items[0].media, (await newest(ana, paintings)).attachments[0]
        assert (media.width, media.height, media.content_type) == (4, 8, "image/png")
        assert media.attachment_id == attachment.id
        assert media.url == media.proxy_url
    data: Any = await place._state.http.get_message(place.id, sent.id)  # pyright: ignore[reportPrivateUsage]
    assert [one["id"] for one in data["components"]] == [1, 2]
    assert data["components"][0]["items"][0]["spoiler"] is False


async def test_every_answer_to_an_interaction_may_be_one(bot: SandboxBot, ana: Person, paintings: Channel) -> None:
    async def body(interaction: discord.Interaction[Any]) -> None:
        await interaction.response.send_message(view=layout(ui.TextDisplay("first")), ephemeral=True)
        await interaction.edit_original_response(view=layout(ui.TextDisplay("first, changed"), picture()),
                                                 attachments=[file()])  # fmt: skip
        await interaction.followup.send(view=layout(ui.TextDisplay("second")))

    bot.to_run = body
    first = ana.answer(await ana.slash(paintings, "run"))
    await ana.until(lambda: ana.sees(paintings)[-1] is not first)
    assert (first.text, kept(first), first.only_for) == ("first, changed", ["a.png"], ana.id)
    assert ana.sees(paintings)[-1].text == "second"


async def test_a_deferred_answer_becomes_one(bot: SandboxBot, ana: Person, paintings: Channel) -> None:
    async def body(interaction: discord.Interaction[Any]) -> None:
        await interaction.response.defer(thinking=True)
        await interaction.edit_original_response(view=layout(ui.TextDisplay("done")))

    bot.to_run = body
    message = ana.answer(await ana.slash(paintings, "run"))
    await ana.until(lambda: message.text == "done")
    assert message.is_v2
    assert not message.is_thinking


# ---- refused ----


async def test_discord_says_which_field_is_wrong_and_it_is_noted_once(
    discord_server: LoopbackDiscord, ana: Person, paintings: Channel, place: discord.PartialMessageable
) -> None:
    view = layout(ui.TextDisplay("x" * 3000), ui.TextDisplay("x" * 1001))
    with pytest.raises(discord.HTTPException) as raised:
        await place.send(view=view)
    assert (raised.value.status, raised.value.code) == (400, 50035)
    assert "In components: Components displayable text size exceeds maximum size of 4000" in raised.value.text
    with pytest.raises(discord.HTTPException, match=r"In components\.0\.items\.0\.media\.url.*b\.png"):
        await place.send(view=layout(picture("b.png")), file=file("a.png"))
    assert ana.sees(paintings) == []
    assert len(discord_server.violations) == 2
    assert "Components displayable text size" in discord_server.violations[0]
    discord_server.violations.clear()


async def test_an_answer_that_is_refused_can_be_given_again(
    discord_server: LoopbackDiscord, bot: SandboxBot, ana: Person, paintings: Channel
) -> None:
    async def body(interaction: discord.Interaction[Any]) -> None:
        with pytest.raises(discord.HTTPException, match=r"In data\.components"):
            await interaction.response.send_message(view=layout(picture("gone.png")))
        await interaction.response.send_message(view=layout(ui.TextDisplay("better")))

    bot.to_run = body
    assert ana.answer(await ana.slash(paintings, "run")).text == "better"
    assert len(discord_server.violations) == 1
    discord_server.violations.clear()


# ---- changing ----


async def test_an_old_message_becomes_a_new_one_once_it_is_emptied_and_never_goes_back(
    discord_server: LoopbackDiscord, ana: Person, paintings: Channel, place: discord.PartialMessageable
) -> None:
    sent = await place.send("old", embed=discord.Embed(title="card"))
    new = layout(ui.TextDisplay("new"))
    with pytest.raises(discord.HTTPException, match="'embeds' field cannot be used"):
        await sent.edit(content=None, view=new)
    message = await newest(ana, paintings)
    assert (message.content, message.edits, message.is_v2) == ("old", 0, False)
    await sent.edit(content=None, embeds=[], view=new)
    assert message.text == "new"
    for change in ({"content": "back"}, {"embed": discord.Embed(title="x")}):
        with pytest.raises(discord.HTTPException, match="cannot be used when using"):
            await sent.edit(**change)  # pyright: ignore[reportCallIssue, reportArgumentType]
    with pytest.raises(discord.HTTPException, match="empty message"):
        await sent.edit(view=None)
    discord_server.violations.clear()
    http = place._state.http  # pyright: ignore[reportPrivateUsage]
    route = Route("PATCH", "/channels/{channel_id}/messages/{message_id}",
                               channel_id=place.id, message_id=sent.id)  # fmt: skip
    await http.request(route, json={"flags": 0})
    assert message.is_v2
    assert "which it never can" in discord_server.violations[0]
    await http.request(route, json={"components": [{"type": 10, "content": "flagless"}]})
    assert message.text == "flagless"


async def test_attachments_stay_by_id_and_new_ones_come_on_top(
    ana: Person, paintings: Channel, place: discord.PartialMessageable
) -> None:
    sent = await place.send(view=layout(picture(), picture("b.png")), files=[file(), file("b.png")])
    message = await newest(ana, paintings)
    first = message.attachments[0]
    await sent.edit(view=layout(ui.TextDisplay("both stay"), picture(), picture("b.png")))
    assert kept(message) == ["a.png", "b.png"]
    http = place._state.http  # pyright: ignore[reportPrivateUsage]
    shown = [{"type": 12, "items": [{"media": {"url": "attachment://a.png"}}]}]
    with pytest.raises(discord.HTTPException, match=r"a\.png has no file"):  # Discord wants the name, too
        await http.edit_message(place.id, sent.id, params=_params({"attachments": [{"id": str(first.id)}],
                                                                   "components": shown}))  # fmt: skip
    keep = {"id": str(first.id), "filename": "a.png"}
    await http.edit_message(place.id, sent.id, params=_params({"attachments": [keep], "components": shown}))
    assert [one.id for one in message.attachments] == [first.id]
    await sent.edit(view=layout(picture("c.png")), attachments=[file("c.png")])
    assert kept(message) == ["c.png"]


def _params(payload: dict[str, Any]) -> Any:
    return MultipartParameters(payload=payload, multipart=None, files=None)


async def test_a_later_file_of_the_same_name_takes_its_place_only_where_it_is_named_again(
    ana: Person, paintings: Channel, place: discord.PartialMessageable
) -> None:
    sent = await place.send(view=layout(picture()), file=file())
    message = await newest(ana, paintings)
    old = media_of(message)[0].attachment
    await sent.edit(attachments=[file()], view=layout(picture()))
    assert media_of(message)[0].attachment is message.attachments[-1]
    assert message.attachments[-1] is not old


# ---- pings ----


async def test_a_text_display_pings_as_far_as_it_is_allowed_to(
    ana: Person, ben: Person, paintings: Channel, place: discord.PartialMessageable
) -> None:
    view = layout(ui.Container(ui.TextDisplay(f"<@{ana.id}> and <@{ben.id}>")))
    await place.send(view=view)
    assert (await newest(ana, paintings)).mentions == [ana.id, ben.id]
    only_ben = discord.AllowedMentions(users=[discord.Object(ben.id)], roles=False, everyone=False)
    await place.send(view=view, allowed_mentions=only_ben)
    assert (await newest(ana, paintings)).mentions == [ben.id]
    await place.send(view=view, allowed_mentions=discord.AllowedMentions.none())
    assert (await newest(ana, paintings)).mentions == []
