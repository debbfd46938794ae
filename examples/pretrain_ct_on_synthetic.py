"""Make a weight file for the CT branch: train a CT model on synthetic patients and keep its encoder.

The file fits ``FusionPFSClassifier(weights={"ct": ...})`` and ``prrt compare --ct-weights``. It shows the mechanics of a
pretrained branch; nobody should expect phantoms to teach a network what matters in patients.

    python examples/pretrain_ct_on_synthetic.py ct_weights.safetensors
"""

from __future__ import annotations

import argparse

from safetensors.torch import save_file

from prrt_estimators import CTPFSClassifier, make_prrt_cohort


def main() -> None:
    """Train on synthetic CT and write the encoder's state dict."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", help="file to write, ending in .safetensors")
    parser.add_argument("--patients", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=10)
    options = parser.parse_args()
    X, y = make_prrt_cohort(options.patients, random_state=1, return_X_y=True)
    model = CTPFSClassifier(max_epochs=options.epochs, random_state=0, verbose=1).fit(X, y)
    save_file(model.net_.module_.encoders["ct"].network.state_dict(), options.out)
    print(
        f"wrote {options.out} after a loss of {model.loss_curve_[0]:.3f} -> {model.loss_curve_[-1]:.3f}"
    )


if __name__ == "__main__":
    main()
