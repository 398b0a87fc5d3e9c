"""Forms that several people have open at once."""

from __future__ import annotations

from tests.support.stage import Stage


async def test_two_people_may_have_the_same_form_open_and_both_send_it(stage: Stage) -> None:
    await stage.agree(stage.ana, stage.ben)
    message = await stage.picture(stage.ana, steps=4)
    first, second = await stage.ana.click(message, "Edit"), await stage.ben.click(message, "Edit")
    for person, opened, words in ((stage.ana, first, "a red tree"), (stage.ben, second, "a blue tree")):
        await person.submit(opened, prompt=words)
    asked = {(job.user_id, job.request.prompt) for number in (2, 3) for job in [await stage.service.jobs.fetch(number)]}
    assert asked == {(stage.ana.id, "a red tree"), (stage.ben.id, "a blue tree")}
