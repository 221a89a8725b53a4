"""Draw the figure of the first page: ``python docs/figures/draw_few_labels.py``.

It is that of ``examples/plot_few_labels.py``, which is run for it.
"""

import runpy
from pathlib import Path

import matplotlib.pyplot as plt

HERE = Path(__file__).parent


def main():
    """Run the example and keep its figure."""
    plt.switch_backend("agg")
    example = runpy.run_path(str(HERE.parents[1] / "examples" / "plot_few_labels.py"))
    example["fig"].savefig(HERE / "few_labels.png", dpi=150)


if __name__ == "__main__":
    main()
