/* Arbor's C mechanism ABI, levels 0.6 (Arbor 0.9, 0.10) and 0.7 (Arbor 0.11 to 0.12.2), and graddiff's catalogue
 * self-description. Written from the ABI's documented layout; the Rust mirror is src/lib.rs and a test compares every
 * size and offset. This comment block and the ones below are the one normative description; other documents link here.
 *
 * Define MECH_ABI_LEVEL as 6 or 7 before including (default 7). C11, no dependencies but the C library's headers.
 *
 * Roles. The host allocates everything; a mechanism allocates nothing and keeps no pointer between calls. A catalogue is
 * a shared object exporting `get_catalogue`; graddiff's also export `graddiff_catalogue_info_v1`.
 *
 * Threads. Hooks of one mechanism may run concurrently on different ppacks, never on the same one.
 *
 * Aliasing. No two arrays of a ppack overlap, except that several mechanisms share vec_*, node tables and ion arrays.
 */
#ifndef MECH_ABI_H
#define MECH_ABI_H

#include <stdbool.h>
#include <stdint.h>

#ifndef MECH_ABI_LEVEL
#define MECH_ABI_LEVEL 7
#endif
#if MECH_ABI_LEVEL != 6 && MECH_ABI_LEVEL != 7
#error "MECH_ABI_LEVEL must be 6 or 7"
#endif

/* Arbor's own formula drops the minor number, so every 0.x.0 is 0: the value does not tell the levels apart. */
#define ARB_MECH_ABI_VERSION 0ul

enum { arb_mechanism_kind_point = 1, arb_mechanism_kind_density = 2, arb_mechanism_kind_reversal_potential = 3,
       arb_mechanism_kind_gap_junction = 4, arb_mechanism_kind_voltage = 5 };
enum { arb_backend_kind_cpu = 1, arb_backend_kind_gpu = 2 };

/* View of one ion. Arrays are indexed by position in the ion's CV list: `index[instance]`. Pointers may be null if no
 * mechanism declares the quantity. */
typedef struct arb_ion_state {
    double* current_density;         /* A/m2, zeroed by the host each step, accumulated by compute_currents */
#if MECH_ABI_LEVEL == 6
    double* conductivity;            /* kS/m2 */
#endif
    double* reversal_potential;      /* mV */
    double* internal_concentration;  /* mM */
    double* external_concentration;  /* mM */
    double* diffusive_concentration; /* mM */
    double* ionic_charge;            /* length 1 */
    int32_t* index;
} arb_ion_state;

typedef struct arb_deliverable_event_data { uint32_t mech_index; float weight; } arb_deliverable_event_data;
typedef struct arb_deliverable_event_stream {
    const arb_deliverable_event_data* begin;
    const arb_deliverable_event_data* end;
} arb_deliverable_event_stream;

/* Instance index lists for SIMD kernels; scalar kernels ignore them. In Arbor 0.12 `contiguous` holds [start, end) pairs. */
typedef struct arb_constraint_partition {
    uint32_t n_contiguous, n_constant, n_independent, n_none;
    int32_t *contiguous, *constant, *independent, *none;
} arb_constraint_partition;

/* Everything a hook sees. One per mechanism and cell group. */
typedef struct arb_mechanism_ppack {
    uint32_t width;                     /* number of instances */
    int32_t n_detectors;
    int32_t* vec_ci;                    /* CV -> cell */
    double dt;                          /* ms, exact length of the current step; 0 while initialising */
    double* vec_v;                      /* mV per CV */
    double* vec_i;                      /* A/m2 per CV, outward positive, accumulated */
    double* vec_g;                      /* kS/m2 per CV, accumulated */
    double* temperature_degC;
    double* diam_um;
    double* area_um2;
    double* time_since_spike;
    int32_t* node_index;                /* instance -> CV, non-decreasing */
    int32_t* peer_index;
    int32_t* multiplicity;
    double* weight;                     /* density: covered part of the CV's area, in (0, 1] */
    uint32_t mechanism_id;
    arb_deliverable_event_stream events;
    arb_constraint_partition index_constraints;
    double** parameters;                /* tables in the order of arb_mechanism_type */
    double** state_vars;
    double* globals;
    arb_ion_state* ion_states;
    const double* const* random_numbers;
} arb_mechanism_ppack;

typedef void (*arb_mechanism_method)(arb_mechanism_ppack*);
typedef void (*arb_mechanism_method_events)(arb_mechanism_ppack*, arb_deliverable_event_stream*);

/* The hooks, all non-null. Per step: compute_currents, (host solves the cable), advance_state, write_ions.
 * `init` runs twice before the first step. */
typedef struct arb_mechanism_interface {
    uint32_t backend;
    uint32_t partition_width; /* SIMD width in doubles; 1 for scalar kernels */
    uint32_t alignment;       /* bytes */
    arb_mechanism_method init_mechanism;   /* may write state_vars and ion arrays */
    arb_mechanism_method compute_currents; /* accumulates vec_i, vec_g, current_density */
    arb_mechanism_method_events apply_events;
    arb_mechanism_method advance_state;    /* sees the new voltage; writes state_vars */
    arb_mechanism_method write_ions;
    arb_mechanism_method post_event;
} arb_mechanism_interface;

typedef struct arb_field_info { const char *name, *unit; double default_value, range_low, range_high; } arb_field_info;

typedef struct arb_ion_info {
    const char* name;
    bool write_int_concentration, write_ext_concentration;
#if MECH_ABI_LEVEL == 7
    bool read_int_concentration, read_ext_concentration;
#endif
    bool use_diff_concentration, write_rev_potential, read_rev_potential, read_valence, verify_valence;
    int expected_valence;
} arb_ion_info;

typedef struct arb_random_variable_info { const char* name; uint32_t index; } arb_random_variable_info;

typedef struct arb_mechanism_type {
    unsigned long abi_version;
    const char* fingerprint;
    const char* name;
    uint32_t kind;
    bool is_linear;
    bool has_post_events;
    arb_field_info* globals;
    uint32_t n_globals;
    arb_field_info* state_vars;
    uint32_t n_state_vars;
    arb_field_info* parameters;
    uint32_t n_parameters;
    arb_ion_info* ions;
    uint32_t n_ions;
    arb_random_variable_info* random_variables;
    uint32_t n_random_variables;
} arb_mechanism_type;

typedef arb_mechanism_type (*arb_get_mechanism_type)(void);
typedef arb_mechanism_interface* (*arb_get_mechanism_interface)(void);
typedef struct arb_mechanism { arb_get_mechanism_type type; arb_get_mechanism_interface i_cpu, i_gpu; } arb_mechanism;

/* ---- graddiff's self-description: what Arbor's ABI cannot say of itself ---- */

#define GRADDIFF_INFO_MAGIC "graddiff"
#define GRADDIFF_INFO_VERSION 1u

/* One seed: d(parameter)/d(theta_slot) on each CV is the RANGE parameter `seed` of `mechanism`. */
typedef struct graddiff_seed { uint32_t slot; const char *mechanism, *parameter, *seed; } graddiff_seed;

typedef struct graddiff_catalogue_info {
    char magic[8];                 /* "graddiff", no terminator: checked before anything else is trusted */
    uint32_t info_version;         /* GRADDIFF_INFO_VERSION */
    uint32_t info_size;            /* sizeof(graddiff_catalogue_info) */
    uint32_t abi_level;            /* 6 or 7 */
    uint32_t sizeof_ppack, sizeof_type, sizeof_interface, sizeof_field_info, sizeof_ion_info, sizeof_ion_state;
    uint32_t n_mechanisms;         /* must equal what get_catalogue reports */
    const char* graddiff_version;
    const char* integrator;        /* "arbor" or "neuron" */
    const char* carrier;           /* "none" or "cable" */
    const char* const* slots;      /* slot names */
    const graddiff_seed* seeds;
    uint32_t n_slots;
    uint32_t n_seeds;
} graddiff_catalogue_info;

/* Exported symbols; the only place besides mech-abi's Rust constants where they are spelled. */
#define MECH_ABI_EXPORT __attribute__((visibility("default")))
MECH_ABI_EXPORT const void* get_catalogue(int* n);
MECH_ABI_EXPORT extern const graddiff_catalogue_info graddiff_catalogue_info_v1;

#endif
