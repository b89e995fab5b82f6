"""What diffusion_in_arbor.py and diffusion_in_neuron.py show and ask for (issue 6, deliver 2 and 3)."""

import json

STEPS_MS = (0.04, 0.02, 0.01, 0.005)
# on a uniform cable: of first order, and what is not smooth
LARGEST = 0.01
RATIO = 0.65
# on a tree: what a smaller step leaves
STAYS = 0.9


def report(host, rows, least, path):
    """`rows`: errors by (cell, slot). `least`: what the branched cell's errors stay above, or the warning is a lie."""
    print(f"{host}: error of u at dt {', '.join(str(dt) for dt in STEPS_MS)}")
    good = True
    for (cell, slot), errors in rows.items():
        ratios = [b / a for a, b in zip(errors, errors[1:])]
        if cell != "branched":
            # spikes come a step early or late: first order still, from far above
            fine = all(r <= RATIO for r in ratios) and (cell == "spiking" or errors[-1] <= LARGEST)
        else:
            fine = min(errors) > least and ratios[-1] > STAYS
        good &= fine
        text = " ".join(f"{e:.2e}" for e in errors) + "  ratios " + " ".join(f"{r:.3f}" for r in ratios)
        print(f"  {cell:9} {slot:12} {text}{'' if fine else '  WRONG'}")
    if path:
        rows = [{"cell": c, "slot": s, "errors": e} for (c, s), e in rows.items()]
        path.write_text(json.dumps({"host": host, "least": least, "rows": rows, "good": good}, indent=1))
    return good
