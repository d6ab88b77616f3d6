#!/usr/bin/env python3
"""Timesteps and walks of diffusers' schedulers on a denoiser that any program can repeat.

    python schedules.py OUT.json [--seed N] [--small]

The denoiser answers tanh(0.7 x + t / 1000); the walk starts from 12 numbers drawn by the seed. --small keeps the few
cases that lie beside the test; without it every combination is made.
"""
import argparse
import itertools
import json

import diffusers
import torch

AUDIOLDM = dict(beta_start=0.0015, beta_end=0.0195, beta_schedule="scaled_linear")


def cases(small):
    base = [AUDIOLDM, dict(), dict(beta_schedule="squaredcos_cap_v2")]
    for betas, prediction, spacing, offset, one, clip, steps in itertools.product(
            base, ("epsilon", "sample", "v_prediction"), ("leading", "trailing", "linspace"), (0, 1), (False, True),
            (False, True), (1, 2, 7, 10, 25, 200)):
        yield "DDIMScheduler", steps, dict(betas, prediction_type=prediction, timestep_spacing=spacing,
                                           steps_offset=offset, set_alpha_to_one=one, clip_sample=clip)
    yield "DDIMScheduler", 20, dict(AUDIOLDM, prediction_type="v_prediction", rescale_betas_zero_snr=True,
                                    timestep_spacing="trailing")
    for betas, prediction, spacing, karras, final, lower, solver, steps in itertools.product(
            base, ("epsilon", "sample", "v_prediction"), ("leading", "trailing", "linspace"), (False, True),
            ("zero", "sigma_min"), (False, True), ("midpoint", "heun"), (1, 2, 10, 14, 15, 25)):
        if karras and betas.get("beta_schedule") == "squaredcos_cap_v2":
            continue                      # refused by ours: its times depend on the last bit
        yield "DPMSolverMultistepScheduler", steps, dict(
            betas, prediction_type=prediction, timestep_spacing=spacing, use_karras_sigmas=karras,
            final_sigmas_type=final, lower_order_final=lower, solver_type=solver)
    yield "DPMSolverMultistepScheduler", 12, dict(AUDIOLDM, solver_order=1, final_sigmas_type="sigma_min",
                                                  euler_at_final=True)


def walk(name, steps, config, start):
    scheduler = getattr(diffusers, name)(**config)
    scheduler.set_timesteps(steps)
    if len(set(scheduler.timesteps.tolist())) < len(scheduler.timesteps) and "use_karras_sigmas" not in config:
        return None
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(0)
    sample = start
    for t in scheduler.timesteps:
        sample = scheduler.step(torch.tanh(0.7 * sample + float(t) / 1000), t, sample).prev_sample
    if not torch.isfinite(sample).all():
        return None
    return dict(config=dict(config, _class_name=name), steps=steps, timesteps=scheduler.timesteps.tolist(),
                result=[float(f"{x:.7g}") for x in sample.tolist()])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args()
    start = torch.randn(12, generator=torch.Generator().manual_seed(options.seed))
    wanted = list(cases(options.small))
    if options.small:
        wanted = [case for i, case in enumerate(wanted) if i % 61 == 0 and case[1] < 100]
    made = [entry for entry in (walk(*case, start) for case in wanted) if entry]
    document = dict(made_by=f"schedules.py --seed {options.seed}", diffusers=diffusers.__version__,
                    torch=torch.__version__, start=[float(f"{x:.9g}") for x in start.tolist()])
    with open(options.out, "w") as out:
        out.write(json.dumps(document)[:-1] + ', "cases": [\n')
        out.write(",\n".join(json.dumps(entry) for entry in made) + "\n]}\n")


if __name__ == "__main__":
    main()
