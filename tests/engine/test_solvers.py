"""Solver tables against private diffusers instances."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from domain import InvalidRequest
from engine.request.schedulers import SCHEDULERS, calls_of
from engine.sampling.solvers import SolverTable, advance, make_scheduler, solver_table, stack_rows

WAIFU_DIFFUSION: dict[str, Any] = {
    "num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
    "prediction_type": "epsilon", "steps_offset": 1, "set_alpha_to_one": False,
}  # fmt: skip
ZERO_SNR = WAIFU_DIFFUSION | {
    "prediction_type": "v_prediction", "rescale_betas_zero_snr": True, "timestep_spacing": "trailing",
    "steps_offset": 0, "set_alpha_to_one": True,
}  # fmt: skip
SHAPE = (4, 8, 8)
pytestmark = pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")


def model(x: torch.Tensor, timestep: float) -> torch.Tensor:
    """A smooth stand-in for a network: what it says depends on input and timestep, and latents stay of size 1."""
    return x * timestep / 1000 + 0.1 * torch.tanh(x.roll(1, -1) - 0.2)


def reference(
    name: str, config: dict[str, Any], steps: int, seed: int, dtype: torch.dtype = torch.float32
) -> torch.Tensor:
    """What diffusers makes of it."""
    scheduler = make_scheduler(name, config)
    scheduler.set_timesteps(steps)
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn((1, *SHAPE), generator=generator).to(dtype) * scheduler.init_noise_sigma
    extra = {"generator": generator} if name.endswith("_a") else {}
    for timestep in scheduler.timesteps:
        output = model(scheduler.scale_model_input(x, timestep).to(dtype), float(timestep))
        # The ancestral ones draw their noise in the output's type, and it must be the same noise.
        output = output.float() if extra else output
        x = scheduler.step(output, timestep, x, return_dict=False, **extra)[0].to(dtype)
    return x[0]


def difference(x: torch.Tensor, expected: torch.Tensor) -> float:
    """Largest difference, relative to the size of the latents where that is above 1."""
    return float((x - expected).abs().max()) / max(float(expected.abs().max()), 1.0)


def run(tables: list[SolverTable], seeds: list[int]) -> list[torch.Tensor]:
    """All rows at once, each until it is finished."""
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    state = torch.zeros((len(seeds), 5, *SHAPE))
    for row, (table, generator) in enumerate(zip(tables, generators, strict=True)):
        state[row, 0] = torch.randn(SHAPE, generator=generator) * table.start
    for call in range(max(table.calls for table in tables)):
        going = [row for row, table in enumerate(tables) if call < table.calls]
        outputs = [model(state[row, 0] * tables[row].scales[call], tables[row].timesteps[call]) for row in going]
        noise = [
            torch.randn(SHAPE, generator=generators[row])
            if tables[row].matrices[call, :, 6].any()
            else torch.zeros(SHAPE)
            for row in going
        ]
        matrices = stack_rows([tables[row] for row in going], [call] * len(going), state.device)
        state[going] = advance(state[going], torch.stack(outputs), torch.stack(noise), matrices)
    return list(state[:, 0])


@pytest.mark.pipeline
@pytest.mark.parametrize("steps", [1, 2, 3, 7, 14, 15, 20])
@pytest.mark.parametrize("name", SCHEDULERS)
def test_table_follows_diffusers(name: str, steps: int) -> None:
    if steps == 1 and name in ("heun", "dpm2", "dpm2_a"):
        pytest.skip("diffusers itself gives nothing usable here")
    expected = reference(name, WAIFU_DIFFUSION, steps, seed=5)
    (x,) = run([solver_table(name, WAIFU_DIFFUSION, steps)], [5])
    assert difference(x, expected) <= 1e-5


@pytest.mark.pipeline
@pytest.mark.parametrize("name", SCHEDULERS)
def test_table_follows_diffusers_with_zero_terminal_snr(name: str) -> None:
    """The first sigma is 4096 there: against double precision, because diffusers' own float32 is further off."""
    expected = reference(name, ZERO_SNR, 10, seed=6, dtype=torch.float64)
    (x,) = run([solver_table(name, ZERO_SNR, 10)], [6])
    assert torch.isfinite(x).all()
    assert difference(x, expected) <= (1e-3 if name in ("heun", "dpm2", "dpm2_a") else 2e-5)


def test_mixed_rows_equal_lone_rows_to_the_bit() -> None:
    tables = [solver_table(name, WAIFU_DIFFUSION, 6 + number) for number, name in enumerate(SCHEDULERS)]
    seeds = list(range(len(tables)))
    for row, x in enumerate(run(tables, seeds)):
        (alone,) = run([tables[row]], [seeds[row]])
        assert torch.equal(x, alone)


@pytest.mark.pipeline
@pytest.mark.parametrize("name", SCHEDULERS)
def test_calls_are_counted_as_they_happen(name: str) -> None:
    for steps in (1, 2, 5, 20):
        assert solver_table(name, WAIFU_DIFFUSION, steps).calls == calls_of(name, steps)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_late_start_begins_at_a_lower_noise_level_and_ends_clean(name: str) -> None:
    whole, late = (solver_table(name, WAIFU_DIFFUSION, 20, strength) for strength in (1.0, 0.4))
    assert late.calls < whole.calls
    assert late.levels[0][1] / late.levels[0][0] < whole.levels[0][1] / whole.levels[0][0]
    assert late.levels[-1] == (1.0, 0.0)


def begun_late(name: str) -> tuple[SolverTable, torch.Tensor, torch.Tensor, torch.Tensor]:
    """A solver half-way in: its table, a start picture, a noise, and the state made of both."""
    table = solver_table(name, WAIFU_DIFFUSION, 20, 0.5)
    picture, noise = torch.randn((2, *SHAPE), generator=torch.Generator().manual_seed(1))
    state = torch.zeros((1, 5, *SHAPE))
    state[0, 0] = table.levels[0][0] * picture + table.levels[0][1] * noise
    return table, picture, noise, state


@pytest.mark.parametrize("name", [name for name in SCHEDULERS if not name.endswith("_a")])
def test_late_start_recovers_the_picture_of_a_perfect_model(name: str) -> None:
    """With the true noise as the model's word, every solver must land on the picture it started from."""
    table, picture, noise, state = begun_late(name)
    for call in range(table.calls):
        state = advance(state, noise[None], None, stack_rows([table], [call], state.device))
    assert (state[0, 0] - picture).abs().max() <= 0.1


@pytest.mark.parametrize("name", [name for name in SCHEDULERS if not name.endswith("_a")])
def test_a_table_says_how_much_picture_and_noise_there_is_before_each_call(name: str) -> None:
    """Inpainting puts the start picture back at this level, between a solver's two calls of a step as well."""
    table, picture, noise, state = begun_late(name)
    for call, (of_picture, of_noise) in enumerate(table.levels[:-1]):
        assert (state[0, 0] - of_picture * picture - of_noise * noise).abs().max() <= 0.1
        state = advance(state, noise[None], None, stack_rows([table], [call], state.device))


@pytest.mark.parametrize(("given", "is_clean"), [({}, False), ({"set_alpha_to_one": True}, True)])
def test_ddim_ends_where_the_models_own_configuration_says(given: dict[str, bool], is_clean: bool) -> None:
    bare = {key: value for key, value in WAIFU_DIFFUSION.items() if key != "set_alpha_to_one"}
    scheduler = make_scheduler("ddim", bare | given)
    assert float(scheduler.final_alpha_cumprod) == (1.0 if is_clean else float(scheduler.alphas_cumprod[0]))


def test_unknown_scheduler_is_named_with_the_known_ones() -> None:
    with pytest.raises(InvalidRequest, match=r"'magic'.*ddim.*unipc"):
        solver_table("magic", WAIFU_DIFFUSION, 10)
