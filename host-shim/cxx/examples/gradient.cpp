// The gradient of an experiment's loss where its search starts, checked by central differences in C++, then a few
// iterations of its tuner.
//
//     gradient EXPERIMENT.json [ITERATIONS]
//
// Prints for each slot the greatest sensitivity of a probe, as `graddiff verify --json` does, and ∂(loss)/∂(slot).

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include <graddiff.hpp>

int main(int argc, char** argv) try {
    if (argc < 2) {
        std::fprintf(stderr, "usage: %s EXPERIMENT.json [ITERATIONS]\n", argv[0]);
        return 2;
    }
    graddiff::Model model(argv[1]);
    const std::vector<double> values = model.slot_values();
    const std::vector<std::string> slots = model.slot_names();

    const graddiff::Traces traces = model.simulate(values, model.duration_ms(), true);
    const std::vector<double> start = model.start_values();
    const graddiff::LossGradient at = model.gradient(start);
    std::printf("loss %.17g\n", at.loss);
    double worst = 0.0;
    for (std::size_t k = 0; k < slots.size(); ++k) {
        double greatest = 0.0;
        for (std::size_t i = 0; i < traces.n_samples(); ++i) {
            for (std::size_t p = 0; p < traces.n_probes(); ++p) {
                greatest = std::max(greatest, std::fabs(traces.sensitivity(i, p, k)));
            }
        }
        // central differences over h and h/2, extrapolated to 0
        const auto difference = [&](double h) {
            std::vector<double> up = start, down = start;
            up[k] += h;
            down[k] -= h;
            return (model.gradient(up).loss - model.gradient(down).loss) / (2 * h);
        };
        const double h = 1e-4 * (start[k] != 0.0 ? std::fabs(start[k]) : 1.0);
        const double reference = (4 * difference(h / 2) - difference(h)) / 3;
        const double error = std::fabs(at.gradient[k] - reference) / std::fabs(reference);
        worst = std::max(worst, error);
        std::printf("%s greatest %.17g gradient %.17g difference %.17g\n", slots[k].c_str(), greatest, at.gradient[k],
                    reference);
    }
    std::printf("greatest deviation %.1e\n", worst);

    graddiff::Tuner tuner(model);
    const int iterations = argc > 2 ? std::atoi(argv[2]) : 3;
    for (int i = 0; i < iterations; ++i) {
        const bool more = tuner.step(model);
        std::printf("iteration %u loss %.17g\n", tuner.iteration(), tuner.loss());
        if (!more) break;
    }
    return worst < 1e-5 ? 0 : 1;
} catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 3;
}
