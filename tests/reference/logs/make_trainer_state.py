"""Two `trainer_state.json` as the Hugging Face Trainer saves them, one finished and one on the way.

    python tests/reference/logs/make_trainer_state.py

Made with transformers 5.24.0, whose `TrainerState` writes the files; the rows are those that the
training loop appends (loss with learning rate and gradient norm; evaluation; a last row of means).
"""

import math
from pathlib import Path

from transformers.trainer_callback import TrainerState

FOLDER = Path(__file__).parent / "trainer_state"
STEPS, LOGGING, EVALUATION = 2000, 20, 100
TOKENS = 16 * 1024


def loss(step: int, seed: int) -> float:
    return 2.0 + 4.0 / (1 + step) ** 0.3 + 0.01 * math.sin(12.9898 * step + seed)


def state(seed: int, until: int) -> TrainerState:
    made = TrainerState(
        epoch=until / STEPS,
        global_step=until,
        max_steps=STEPS,
        logging_steps=LOGGING,
        eval_steps=EVALUATION,
        train_batch_size=16,
        num_train_epochs=1,
        num_input_tokens_seen=until * TOKENS,
        total_flos=6e6 * until * TOKENS,
    )
    for step in range(LOGGING, until + 1, LOGGING):
        row = {"epoch": step / STEPS, "step": step}
        made.log_history.append(
            {
                "loss": round(loss(step, seed), 4),
                "grad_norm": 1.0 / (1 + step),
                "learning_rate": 3e-4 * (1 - step / STEPS),
                "num_input_tokens_seen": step * TOKENS,
                **row,
            }
        )
        if step % EVALUATION == 0:
            made.log_history.append({"eval_loss": loss(step, 0) + 0.02, "eval_runtime": 1.5, **row})
    if until == STEPS:
        made.log_history.append(
            {
                "train_runtime": 100.0,
                "train_loss": 2.5,
                "total_flos": made.total_flos,
                "epoch": 1.0,
                "step": STEPS,
            }
        )
    return made


def main() -> None:
    for name, seed, until in (("small", 1, STEPS), ("large", 2, 700)):
        folder = FOLDER / name / f"checkpoint-{until}"
        folder.mkdir(parents=True, exist_ok=True)
        state(seed, until).save_to_json(str(folder / "trainer_state.json"))
        width = 256 if seed == 1 else 512
        (folder / "config.json").write_text(
            f'{{"n_layer": 4, "n_embd": {width}, "n_head": 4, "vocab_size": 50257}}\n', "utf-8"
        )


if __name__ == "__main__":
    main()
