// graddiff from C++17: simulate an experiment with the sensitivities of its probes, take the gradient of its loss, and
// tune it, in the process of the caller.
//
//     graddiff::Model model("experiment.json");
//     graddiff::Traces traces = model.simulate(model.slot_values(), model.duration_ms(), true);
//     double u = traces.sensitivity(sample, probe, slot);     // ∂(probe)/∂(slot), exact to rounding
//
// The experiment file says which mechanisms, cells, probes and slots there are; it is the same file that the program
// `graddiff` runs. A model needs the C compiler named in CC (or cc) at run time, once, when it is made.
//
// Errors are exceptions derived from std::exception whose what() names the file and the place; the object that threw is as
// it was before. Objects may move between threads, and different objects be used on different threads at once; one object
// is used by one thread at a time.

#ifndef GRADDIFF_HPP
#define GRADDIFF_HPP

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "graddiff/cxx.h"

#include "graddiff/bridge.h"

namespace graddiff {

// What went wrong; what() says it.
using Error = rust::Error;

// Sampled outputs of one simulation.
class Traces {
public:
    explicit Traces(bridge::Traces traces) : traces_(std::move(traces)) {}

    std::size_t n_samples() const { return traces_.times_ms.size(); }
    std::size_t n_probes() const { return traces_.n_probes; }
    // 0 if sensitivities were not asked for.
    std::size_t n_slots() const { return traces_.sensitivities.empty() ? 0 : traces_.n_slots; }

    // When a sample was taken, ms.
    double time_ms(std::size_t sample) const { return traces_.times_ms.at(sample); }
    // A probe's value in its own unit.
    double value(std::size_t sample, std::size_t probe) const {
        return traces_.values.at(sample * n_probes() + probe);
    }
    // ∂(probe)/∂(slot), in the probe's unit per unit of the slot.
    double sensitivity(std::size_t sample, std::size_t probe, std::size_t slot) const {
        return traces_.sensitivities.at((sample * n_probes() + probe) * traces_.n_slots + slot);
    }

private:
    bridge::Traces traces_;
};

// A loss, and its derivative for each slot: the probe's unit squared, and that per unit of the slot.
struct LossGradient {
    double loss;
    std::vector<double> gradient;
};

// An experiment, made concrete: mechanisms differentiated and compiled, cells cut and built.
class Model {
public:
    explicit Model(std::string_view experiment) : model_(bridge::load({experiment.data(), experiment.size()})) {}

    // Names of the slots (parameters with sensitivities) and their values in the experiment.
    std::vector<std::string> slot_names() const { return strings(model_->slot_names()); }
    std::vector<double> slot_values() const { return numbers(model_->slot_values()); }
    // Names of the probes, and their units.
    std::vector<std::string> probe_names() const { return strings(model_->probe_names()); }
    std::vector<std::string> probe_units() const { return strings(model_->probe_units()); }
    // The experiment's duration.
    double duration_ms() const { return model_->duration_ms(); }

    // Where the search that `tune` describes starts.
    std::vector<double> start_values() { return numbers(model_->start_values()); }

    // Runs from rest to t_end_ms with these values of the slots; the same arguments give the same bits.
    Traces simulate(const std::vector<double>& values, double t_end_ms, bool sensitivities) {
        return Traces(model_->simulate(slice(values), t_end_ms, sensitivities));
    }

    // The loss that the experiment's `tune` names, over the whole duration, and its gradient.
    LossGradient gradient(const std::vector<double>& values) {
        bridge::LossGradient result = model_->gradient(slice(values));
        return {result.loss, numbers(result.gradient)};
    }

private:
    friend class Tuner;

    static std::vector<std::string> strings(const rust::Vec<rust::String>& from) {
        std::vector<std::string> to;
        for (const rust::String& s : from) to.emplace_back(s.data(), s.size());
        return to;
    }
    static std::vector<double> numbers(const rust::Vec<double>& from) { return {from.begin(), from.end()}; }
    static rust::Slice<const double> slice(const std::vector<double>& from) { return {from.data(), from.size()}; }

    rust::Box<bridge::Model> model_;
};

// The search that the experiment's `tune` describes, from `tune.start`, one iteration at a time. The model must be the one
// it was made of.
class Tuner {
public:
    explicit Tuner(Model& model) : tuner_(bridge::new_tuner(*model.model_)) {}

    // One iteration; false once the search has ended.
    bool step(Model& model) { return tuner_->step(*model.model_); }

    // The last iteration's number, from 0, and its loss (NaN if it was not finite).
    unsigned iteration() const { return tuner_->iteration(); }
    double loss() const { return tuner_->loss(); }
    // Where the next iteration begins.
    std::vector<double> values() const { return Model::numbers(tuner_->values()); }
    // The best point so far and its loss; empty and NaN before the first iteration.
    std::vector<double> best_values() const { return Model::numbers(tuner_->best_values()); }
    double best_loss() const { return tuner_->best_loss(); }
    // Why the search has ended; empty while it has not.
    std::string ended() const { return std::string(tuner_->ended()); }

private:
    rust::Box<bridge::Tuner> tuner_;
};

}  // namespace graddiff

#endif
