import sys, asyncio
from pathlib import Path
from tests.support.review import refused
from tests.support.stage import Stage
ROOT = "/work/main/"
async def run(stage, review):
    if review: await stage.choose_review_channel()
    await stage.agree(stage.ana)
    refusal = await refused(stage)
    await stage.bot.background.run_all()
    await asyncio.sleep(1)
    files = {}
    def prof(frame, event, arg):
        if event == "call":
            name = frame.f_code.co_filename
            if name.startswith(ROOT) and ".venv" not in name and "/tests/" not in name and "/sandbox/" not in name:
                task = None
                try: task = asyncio.current_task()
                except RuntimeError: pass
                files.setdefault(name[len(ROOT):], set()).add(task.get_name().split("-")[0] if task else "none")
    sys.setprofile(prof)
    try:
        opened = await stage.ana.click(refusal, "Appeal")
        answer = stage.ana.answer(await stage.ana.submit(opened, statement="x"))
    finally:
        sys.setprofile(None)
    print("\nREVIEW", review, len(files))
    for name, tasks in sorted(files.items()): print("  ", name, tasks)
    bg = {n for n, t in files.items() if t <= {"background"}}
    print("only background:", len(bg), "own:", len(files) - len(bg))
async def test_a(stage: Stage): await run(stage, False)
async def test_b(stage: Stage): await run(stage, True)
