"""The verdict of the chaos run sees each thing that may never follow, and one seed is one plan."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.people.person import Person, channel_named
from sandbox.server import LoopbackDiscord
from sandbox.world.layout import MEDIA_GALLERY
from sandbox.world.things import V2, Attachment, Message
from sandbox.world.world import default_world
from scripts.chaos import read_report
from scripts.misfortune.crowd import Crowd
from scripts.misfortune.events import KILLS, plan
from scripts.misfortune.verdict import Finding, Job, State, Witness, buttons_of, is_settled, judge

GOOD = Job(
    id=1,
    status="delivered",
    message_id=None,
    request_id=None,
    prompt="tree, picture 1001",
    parent_id=None,
    cost=500,
    is_delivered=True,
    pictures=1,
    spent=500,
    paid_back=0,
)


@pytest.fixture
def server() -> LoopbackDiscord:
    return LoopbackDiscord(default_world())


def card(server: LoopbackDiscord, job_id: int, verb: str = "again", words: str = "", shows: str = "1-7.png") -> Message:
    """A message of the bot with one button of a job, and a picture where it is finished."""
    world, place = server.world, channel_named(server.world, "paintings")
    message = Message(world.new_id(), place.id, world.bot.id, words)
    message.components = [{"type": 1, "components": [{"type": 2, "custom_id": f"job:{verb}:{job_id}"}]}]
    if verb == "again":
        file = Attachment(world.new_id(), shows, b"")
        media = {"url": f"attachment://{shows}", "attachment_id": file.id}
        message.attachments, message.flags = [file], V2
        message.components.append({"type": MEDIA_GALLERY, "items": [{"media": media}]})
    return world.post(message)


def found(server: LoopbackDiscord, *jobs: Job, crowd: Crowd | None = None, witness: Witness | None = None) -> list[str]:
    """The kinds of what is found."""
    state = State({job.id: job for job in jobs}, {})
    crowd = crowd or Crowd(server, [], [], [], random.Random(1))
    verdict = judge(server, state, crowd, witness or Witness(server), set(), may_lack_files=False)
    return [one.kind for one in verdict]


def test_one_picture_in_one_message_is_what_should_be(server: LoopbackDiscord) -> None:
    card(server, 1)
    assert found(server, GOOD) == []


def test_a_picture_that_nothing_shows_is_lost(server: LoopbackDiscord) -> None:
    assert found(server, GOOD) == ["lost"]


def test_a_preview_is_no_picture(server: LoopbackDiscord) -> None:
    card(server, 1, shows="preview.jpg")
    assert found(server, GOOD) == ["lost"]


@pytest.mark.parametrize("verb", ["vary-by:1:2:35", "region-form:1:2:top-left", "pick"])
def test_a_private_question_about_a_picture_does_not_double_it(server: LoopbackDiscord, verb: str) -> None:
    card(server, 1)
    name, _, rest = verb.partition(":")
    asked = card(server, 1, name)
    asked.only_for = 5
    asked.components[0]["components"][0]["custom_id"] = f"job:{name}:{rest or '1:2'}"
    assert [*buttons_of(asked)] == [(name, 1)]
    assert found(server, GOOD) == []


def test_a_picture_in_two_messages_and_a_prompt_accepted_twice_are_doubled(server: LoopbackDiscord) -> None:
    for job_id in (1, 1, 2):
        card(server, job_id)
    assert found(server, GOOD, replace(GOOD, id=2)) == ["doubled", "doubled"]


def test_a_job_that_never_ends_and_a_card_that_waits_for_nothing_are_stuck(server: LoopbackDiscord) -> None:
    card(server, 1, "cancel")
    assert found(server, replace(GOOD, status="running", is_delivered=False)) == ["stuck"]
    assert found(server, replace(GOOD, status="failed", pictures=0, paid_back=500)) == ["stuck"]


@pytest.mark.parametrize(
    "changed",
    [
        {"status": "failed", "pictures": 0},
        {"paid_back": 500},
        {"spent": 0},
        {"status": "cancelled", "pictures": 0, "paid_back": 400},
    ],
)
def test_credits_that_do_not_fit_the_end_are_wrong(server: LoopbackDiscord, changed: dict[str, object]) -> None:
    card(server, 1)
    assert found(server, replace(GOOD, **changed)) == ["credits"]  # pyright: ignore[reportArgumentType]


def test_a_sentence_that_nothing_was_charged_is_untrue_where_it_was(server: LoopbackDiscord) -> None:
    witness = Witness(server)
    server.world.subscribe(witness)
    message = card(server, 1, words="It failed; nothing was charged. picture 1 · seed 3")
    server.world.tell("MESSAGE_CREATE", {"id": str(message.id)})
    assert found(server, GOOD, witness=witness) == ["untrue"]
    assert found(server, replace(GOOD, status="failed", pictures=0, paid_back=500), witness=witness) == []


async def test_a_message_that_was_never_read_is_lost(server: LoopbackDiscord) -> None:
    ana = next(Person(server, user.id) for user in server.world.users.values() if user.name == "ana")
    prompts = channel_named(server.world, "prompts")
    crowd = Crowd(server, [ana], [], [prompts], random.Random(1))
    await crowd.write(ana)
    assert found(server, crowd=crowd) == ["lost"]


def test_a_seed_is_a_plan() -> None:
    pieces = plan(1, kills=30, faults=30, size=20)
    assert pieces == plan(1, kills=30, faults=30, size=20) != plan(2, kills=30, faults=30, size=20)
    events = [event for piece in pieces for event in piece.events]
    assert [len(piece.events) for piece in pieces] == [20, 20, 20]
    assert sum(event in KILLS for event in events) == 30


async def test_an_edit_that_is_not_followed_yet_is_waited_for_unless_it_is_known_to_be_lost(
    server: LoopbackDiscord,
) -> None:
    world = server.world
    ana = Person(server, next(user.id for user in world.users.values() if user.name == "ana"))
    asked = world.post(Message(world.new_id(), channel_named(world, "prompts").id, ana.id, "a tree"))
    crowd = Crowd(server, [], [], [], random.Random(1))
    crowd.said[asked.id] = (ana, asked)
    shown = replace(GOOD, prompt="a tree", message_id=2)
    state = State({1: shown}, {asked.id: ("done", 1, None)})
    assert is_settled(server, state, crowd, set())
    asked.content = "a house"
    assert not is_settled(server, state, crowd, set())
    lost = Finding("lost", f"prompt {asked.id} was edited to 'a house', and shows 'a tree'")
    assert is_settled(server, state, crowd, set(), frozenset({lost}))
    assert is_settled(server, State({1: replace(shown, prompt="a house")}, state.prompts), crowd, set())


@pytest.mark.parametrize("other", [{"seed": 2}, {"tree": "another commit"}, {"size": 20}])
def test_pieces_of_another_run_are_not_summed_up_with_this_one_s(tmp_path: Path, other: dict[str, object]) -> None:
    run, report = {"seed": 1, "kills": 4, "faults": 4, "size": 2, "tree": "this commit"}, tmp_path / "report.jsonl"
    report.write_text(json.dumps({"run": run, "piece": 0, "rounds": []}) + "\n", encoding="utf-8")
    assert read_report(report, run) == {0: []}
    with pytest.raises(ValueError, match="another run"):
        read_report(report, run | other)
