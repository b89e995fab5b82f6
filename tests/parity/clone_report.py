"""What clone_in_arbor.py and clone_in_neuron.py show and ask for (issue 6, acceptance 1)."""

import json

STEPS_MS = (0.04, 0.02, 0.01, 0.005)
LARGEST = 0.01
# a half, and what is not smooth
RATIO = 0.55


def report(host, rows, path):
    print(f"{host}: error of u at dt {', '.join(str(dt) for dt in STEPS_MS)}")
    good = True
    for (mechanism, parameter), errors in rows.items():
        ratios = [b / a for a, b in zip(errors, errors[1:])]
        fine = errors[-1] <= LARGEST and all(r <= RATIO for r in ratios)
        good &= fine
        text = " ".join(f"{e:.2e}" for e in errors) + "  ratios " + " ".join(f"{r:.3f}" for r in ratios)
        print(f"  {mechanism + '.' + parameter:12} {text}{'' if fine else '  WRONG'}")
    if path:
        rows = [{"slot": f"{m}.{p}", "errors": e} for (m, p), e in rows.items()]
        path.write_text(json.dumps({"host": host, "rows": rows, "good": good}, indent=1))
    return good
