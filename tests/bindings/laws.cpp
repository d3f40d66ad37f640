/*
 * What the C++ header promises. Built with the address sanitizer where there
 * is one, so that handles and callbacks are neither lost nor used too late.
 */
#include "ebm.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>
#include <type_traits>

static void require(bool holds, const char *what, int line)
{
    if (holds)
        return;
    std::fprintf(stderr, "laws.cpp:%d: %s\n", line, what);
    std::exit(1);
}
#define REQUIRE(condition) require((condition), #condition, __LINE__)

struct mine {
    const void *mark;
};
static const int mark = 0;

/* Whether the call throws what a callback of this file throws. */
template <class F> static bool throws_mine(F f)
{
    try {
        f();
    } catch (const mine &m) {
        return m.mark == &mark;
    }
    return false;
}

/* Whether it throws this status, with a text that has these words. */
template <class F> static bool fails(ebm_status status, const char *words, F f)
{
    try {
        f();
    } catch (const ebm::error &e) {
        return e.status() == status &&
               std::strstr(e.what(), words) != nullptr &&
               std::strstr(e.what(), ebm_status_name(status)) != nullptr;
    }
    return false;
}

static ebm::energy quadratic()
{
    ebm::energy e;
    e.energy_grad = [](const float *, const float *x, const std::int32_t *,
                       std::size_t n, float *energy, float *grad) {
        std::copy(x, x + 2 * n, grad);
        for (std::size_t i = 0; i < n; i++)
            energy[i] =
                (x[2 * i] * x[2 * i] + x[2 * i + 1] * x[2 * i + 1]) / 2;
    };
    return e;
}

static ebm::chains make_chains(const ebm::context &context)
{
    ebm::chains chains = context.create(ebm_chains_create, 8, 1, 1, 2, 7);
    chains.call(ebm_chains_init_normal, 0.0, 1.0);
    return chains;
}

static ebm::sampler make_sampler(const ebm::context &context)
{
    ebm::sampler s =
        context.create(ebm_sampler_create, EBM_SAMPLER_TIED_LANGEVIN);
    s.call(ebm_sampler_set, EBM_SAMPLER_STEPS, 5);
    s.call(ebm_sampler_set, EBM_SAMPLER_STEP_SIZE, 0.1);
    return s;
}

static void test_types()
{
    typedef ebm::model model;
    static_assert(!std::is_copy_constructible<model>::value, "copies");
    static_assert(!std::is_copy_assignable<model>::value, "copies");
    static_assert(std::is_nothrow_move_constructible<model>::value, "moves");
    ebm::context context;
    ebm::sampler a = make_sampler(context), b;
    b = std::move(a);
    REQUIRE(b.read(ebm_sampler_get, EBM_SAMPLER_STEPS) == 5.0);
    REQUIRE(fails(EBM_ERROR_HANDLE, "",
                  [&] { a.call(ebm_sampler_set, EBM_SAMPLER_STEPS, 1); }));
    ebm::sampler c(std::move(b));
    REQUIRE(b.get() == nullptr && c.get() != nullptr);
}

static void test_nothing_is_copied()
{
    ebm::context context;
    ebm::chains chains = make_chains(context);
    const float *states = chains.call(ebm_chains_states);
    REQUIRE(states == ebm_chains_states(chains.get()));
    const std::vector<float> before(states, states + 16);
    ebm::model model = ebm::custom_model(context, 1, 1, 2, quadratic());
    make_sampler(context).call(ebm_sampler_run, model, chains);
    REQUIRE(!std::equal(before.begin(), before.end(), states));
    std::vector<float> energy(8);
    model.call(ebm_model_energy, states, nullptr, 8, energy);
    REQUIRE(std::fabs(energy[0] -
                      (states[0] * states[0] + states[1] * states[1]) / 2) <
            1e-6f);
}

static void test_wrong_use()
{
    ebm::context context, other;
    ebm::sampler s = make_sampler(context);
    ebm::model model = ebm::custom_model(context, 1, 1, 2, quadratic());
    ebm::chains foreign = make_chains(other);
    REQUIRE(fails(EBM_ERROR_RANGE, "steps = -1",
                  [&] { s.call(ebm_sampler_set, EBM_SAMPLER_STEPS, -1); }));
    REQUIRE(fails(EBM_ERROR_CONTEXT, "different contexts",
                  [&] { s.call(ebm_sampler_run, model, foreign); }));
    ebm::chains none;
    REQUIRE(fails(EBM_ERROR_HANDLE, "",
                  [&] { s.call(ebm_sampler_run, model, none); }));
    ebm::report report = context.create(ebm_report_create);
    REQUIRE(fails(EBM_ERROR_NOT_COMPUTED, "",
                  [&] { report.read(ebm_report_get, EBM_REPORT_TOTAL); }));
    REQUIRE(fails(EBM_ERROR_ARGUMENT, "",
                  [&] { context.create(ebm_preset_create, "no such"); }));
}

static void test_exceptions_come_back()
{
    ebm::context context;
    ebm::chains chains = make_chains(context);
    ebm::sampler s = make_sampler(context);
    std::vector<float> x(16, 1.0f), v(16, 1.0f), energy(8);
    ebm::energy e = quadratic();
    e.parameter_count = 1;
    e.param_grad = [](const float *, const float *, const std::int32_t *,
                      std::size_t, const float *,
                      float *) { throw mine{&mark}; };
    e.tangent = [](const float *, const float *, const std::int32_t *,
                   std::size_t, const float *, const float *, float *,
                   float *) { throw mine{&mark}; };
    ebm::model model = ebm::custom_model(context, 1, 1, 2, e);
    REQUIRE(throws_mine([&] {
        model.call(ebm_model_backward, x, nullptr, 8, energy, nullptr);
    }));
    REQUIRE(throws_mine(
        [&] { model.call(ebm_model_hessian_vector, x, nullptr, 8, v, v); }));
    e.energy_grad = [](const float *, const float *, const std::int32_t *,
                       std::size_t, float *, float *) { throw mine{&mark}; };
    ebm::model broken = ebm::custom_model(context, 1, 1, 2, e);
    REQUIRE(throws_mine([&] { s.call(ebm_sampler_run, broken, chains); }));
    s.call(ebm_sampler_run, model, chains);

    std::vector<std::size_t> seen;
    ebm::observe(s, 2, [&](std::size_t step, const ebm_chains *c) {
        REQUIRE(c == chains.get());
        seen.push_back(step);
    });
    s.call(ebm_sampler_run, model, chains);
    REQUIRE((seen == std::vector<std::size_t>{2, 4, 5}));
    ebm::observe(s, 1,
                 [](std::size_t, const ebm_chains *) { throw mine{&mark}; });
    std::uint64_t steps = chains.call(ebm_chains_step_count);
    REQUIRE(throws_mine([&] { s.call(ebm_sampler_run, model, chains); }));
    REQUIRE(chains.call(ebm_chains_step_count) == steps + 1);
    /* A call in a callback, which fails in its turn. */
    ebm::observe(s, 1, [&](std::size_t, const ebm_chains *) {
        chains.call(ebm_chains_init_normal, 0.0, 1.0);
    });
    REQUIRE(fails(EBM_ERROR_STATE, "",
                  [&] { s.call(ebm_sampler_run, model, chains); }));
    s.call(ebm_sampler_set_observer, 1, nullptr, nullptr);

    ebm::follow(s, EBM_SAMPLER_STEP_SIZE,
                [](std::size_t, std::size_t) -> double { throw mine{&mark}; });
    REQUIRE(throws_mine([&] { s.call(ebm_sampler_run, model, chains); }));
    ebm::follow(s, EBM_SAMPLER_STEP_SIZE,
                [](std::size_t, std::size_t) { return 0.1; });
    std::size_t cold = 0;
    ebm::follow(s, EBM_SAMPLER_TEMPERATURE,
                [&](std::size_t, std::size_t) { return ++cold, 0.1; });
    s.call(ebm_sampler_run, model, chains);
    REQUIRE(cold == 5);

    ebm::transition jump = ebm::custom_transition(
        context, [](float *, const std::int32_t *, std::size_t, std::size_t,
                    std::size_t, std::size_t,
                    const std::uint64_t *) { throw mine{&mark}; });
    REQUIRE(throws_mine([&] {
        jump.call(ebm_transition_apply, x, nullptr, 8, 1, 1, 2, 1, 0, 0);
    }));

    /* A log line can stop nothing, but what it threw is not lost. */
    e = quadratic();
    e.energy_grad = [](const float *, const float *, const std::int32_t *,
                       std::size_t n, float *, float *grad) {
        std::fill(grad, grad + 2 * n, std::numeric_limits<float>::infinity());
    };
    ebm::model steep = ebm::custom_model(context, 1, 1, 2, e);
    std::string line;
    ebm::log_to(context,
                [&](ebm_log_level, const char *text) { line = text; });
    REQUIRE(fails(EBM_ERROR_DIVERGED, "",
                  [&] { s.call(ebm_sampler_run, steep, chains); }));
    REQUIRE(!line.empty());
    chains.call(ebm_chains_init_normal, 0.0, 1.0);
    ebm::log_to(context,
                [](ebm_log_level, const char *) { throw mine{&mark}; });
    REQUIRE(throws_mine([&] { s.call(ebm_sampler_run, steep, chains); }));
}

static void test_any_order_of_destroying()
{
    std::mt19937 generator(1);
    for (int round = 0; round < 50; round++) {
        std::shared_ptr<int> held = std::make_shared<int>(1);
        std::vector<std::function<void()>> ends;
        ebm::model whole;
        std::weak_ptr<int> alive = held;
        {
            ebm::context context;
            ebm::energy e = quadratic();
            std::function<void(const float *, const float *,
                               const std::int32_t *, std::size_t, float *,
                               float *)>
                inner = e.energy_grad;
            e.parameter_count = 1;
            e.energy_grad = [held, inner](const float *p, const float *x,
                                          const std::int32_t *l, std::size_t n,
                                          float *energy, float *grad) {
                inner(p, x, l, n, energy, grad);
            };
            held.reset();
            ebm::model model = ebm::custom_model(context, 1, 1, 2, e);
            e = ebm::energy();
            ebm::transition jump = ebm::custom_transition(
                context,
                [](float *, const std::int32_t *, std::size_t, std::size_t,
                   std::size_t, std::size_t, const std::uint64_t *) {});
            ebm::chains chains = make_chains(context);
            ebm::sampler s = make_sampler(context);
            s.call(ebm_sampler_set_transition, jump, 2);
            whole = model.create(ebm_model_create_negated);
            ebm::optimizer adam = context.create(ebm_optimizer_create,
                                                 EBM_OPTIMIZER_ADAM, whole);
            ends = {[&] { context.close(); }, [&] { model.close(); },
                    [&] { jump.close(); },    [&] { chains.close(); },
                    [&] { s.close(); },       [&] { adam.close(); }};
            s.call(ebm_sampler_run, model, chains);
            std::shuffle(ends.begin(), ends.end(), generator);
            for (std::size_t i = 0; i < ends.size(); i++)
                ends[i]();
        }
        /* The callback is needed still, and is there. */
        REQUIRE(!alive.expired());
        std::vector<float> x(6, 1.0f), energy(3);
        whole.call(ebm_model_energy, x, nullptr, 3, energy);
        REQUIRE(energy[2] == -1.0f);
        REQUIRE(fails(EBM_ERROR_RANGE, "temperature", [&] {
            whole.create(ebm_model_create_tempered,
                         std::numeric_limits<double>::infinity());
        }));
        whole = ebm::model();
        REQUIRE(alive.expired());
    }
}

int main()
{
    test_types();
    test_nothing_is_copied();
    test_wrong_use();
    test_exceptions_come_back();
    test_any_order_of_destroying();
    std::puts("5 passed");
    return 0;
}
