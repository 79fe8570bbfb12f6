"""A folder as Lightning's CSVLogger writes it: sparse rows, a column that comes late.

    python tests/reference/logs/make_lightning.py

Made with lightning 2.6.6, whose CSVLogger of `lightning.fabric` writes `metrics.csv`; PyTorch is
not needed for that and is replaced by an empty stand-in. `hparams.yaml` is written as PyYAML 6.0.4
dumps a dictionary, which is what Lightning does.
"""

import math
import shutil
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).parent / "lightning"


class Nothing(type):
    """A class of which every name is a class like it; what it makes is false."""

    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Nothing(name, (), {"__bool__": lambda self: False})


class Empty(ModuleType):
    """A module of which every name is such a class."""

    __path__: tuple[str, ...] = ()

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Nothing(name, (), {"__bool__": lambda self: False})


class StandIn(MetaPathFinder, Loader):
    """Anything called torch imports as an empty module."""

    def find_spec(self, name, path=None, target=None):
        return ModuleSpec(name, self, is_package=True) if name.split(".")[0] == "torch" else None

    def create_module(self, spec):
        return Empty(spec.name)

    def exec_module(self, module):
        pass


def bare(name: str, folder: Path) -> None:
    """A package of which only the modules asked for are run."""
    package = ModuleType(name)
    package.__path__ = [str(folder)]
    sys.modules[name] = package


def main() -> None:
    sys.meta_path.insert(0, StandIn())
    home = Path(find_spec("lightning").submodule_search_locations[0])
    for inner in ("", ".fabric", ".fabric.loggers", ".fabric.utilities"):
        bare(f"lightning{inner}", home.joinpath(*inner.split(".")[1:]))
    import yaml
    from lightning.fabric.loggers.csv_logs import CSVLogger

    shutil.rmtree(FOLDER, ignore_errors=True)
    for version, width in enumerate((128, 256)):
        logger = CSVLogger(FOLDER, "lightning_logs", version, flush_logs_every_n_steps=7)
        for step in range(0, 300, 10):
            value = 3 + 5 / (1 + step) - version / 4
            logger.log_metrics({"train_loss": value, "lr": 1e-3 * (1 - step / 300)}, step)
            if step % 50 == 40:
                value = 3.1 + 5 / (1 + step) - version / 4
                logger.log_metrics({"val_loss": value, "epoch": step // 50}, step)
        logger.log_metrics({"train_loss": math.inf if version else 3.0}, 300)
        logger.save()
        settings = {"n_layer": 4, "d_model": width, "model": {"act": "gelu"}, "batch_size": 8}
        settings |= {"seq_len": 128, "note": None, "betas": [0.9, 0.95], "name": "a: b"}
        text = yaml.dump(settings)
        Path(logger.log_dir, "hparams.yaml").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
