/*
 * libebm for C++11: handles that end by themselves, statuses as exceptions.
 *
 *     ebm::context context;
 *     ebm::network network = context.create(ebm_network_create, 1, 1, 2);
 *     network.call(ebm_network_dense, 32);
 *     ebm::model model = network.create(ebm_model_create_network, 1);
 *     size_t n = model.call(ebm_model_parameter_count);
 *
 * There are three verbs, and behind them all functions of the headers:
 *
 * - create() for what makes a handle, and returns it;
 * - read() for what reads one number through its last parameter;
 * - call() for everything else; returns what is no status.
 *
 * The handle is the first argument where the function takes one of its type.
 * Others are given as they are, std::vector and std::string for arrays and
 * text. A status other than EBM_OK is thrown as ebm::error, with the library's
 * text. What a callback throws stops the call, which throws it again; nothing
 * is thrown through C. Handles may be destroyed in any order: each keeps alive
 * the context and what its callbacks need.
 */
#ifndef EBM_HPP
#define EBM_HPP

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <ebm/ebm.h>

namespace ebm
{

/** A call that failed. */
class error : public std::runtime_error
{
  public:
    error(ebm_status status, const std::string &text)
        : std::runtime_error(ebm_status_name(status) + (": " + text)),
          status_(status)
    {
    }
    ebm_status status() const noexcept
    {
        return status_;
    }

  private:
    ebm_status status_;
};

namespace detail
{

typedef std::vector<std::shared_ptr<void>> kept;

/** What keeps callbacks alive: those that an object was made with, its own or
    its parts', and those that it was last given, by function and key. */
struct roots {
    kept made_of;
    std::map<std::pair<void (*)(), int>, kept> given;
};

/** The context behind all handles; the last of them destroys it. */
struct core {
    ebm_context *raw = nullptr;
    core() = default;
    core(const core &) = delete;
    core &operator=(const core &) = delete;
    ~core()
    {
        ebm_context_destroy(raw);
    }
};

/** What a callback of this thread's present call has thrown. */
inline std::exception_ptr *&pending()
{
    static thread_local std::exception_ptr *present = nullptr;
    return present;
}

/** A call: where its callbacks put what they throw. Calls nest. */
class frame
{
  public:
    frame() : outer_(pending())
    {
        pending() = &thrown_;
    }
    ~frame()
    {
        pending() = outer_;
    }
    frame(const frame &) = delete;
    frame &operator=(const frame &) = delete;

    void check(const core *c, ebm_status status = EBM_OK) const
    {
        char text[1024] = "";
        if (thrown_)
            std::rethrow_exception(thrown_);
        if (status == EBM_OK)
            return;
        /* A wrong handle has no context to leave a text with. */
        if (c == nullptr || status == EBM_ERROR_HANDLE ||
            ebm_context_copy_last_error(c->raw, text, sizeof text) != EBM_OK ||
            text[0] == '\0')
            throw error(status, ebm_status_text(status));
        throw error(status, text);
    }

  private:
    std::exception_ptr *outer_;
    std::exception_ptr thrown_;
};

/** Keeps what a function was given, in the place of what it had before. In a
    callback that is kept as well: it may be what is running. */
template <class F>
void give(const std::shared_ptr<roots> &to, F f, int key, kept given)
{
    if (!to || given.empty())
        return;
    kept &place =
        to->given[std::make_pair(reinterpret_cast<void (*)()>(f), key)];
    if (pending() != nullptr)
        to->made_of.insert(to->made_of.end(), place.begin(), place.end());
    place.swap(given);
}

/** Runs a callback on the C side of a call. */
template <class Body> int guard(Body body) noexcept
{
    try {
        body();
        return 0;
    } catch (...) {
        if (pending() != nullptr && !*pending())
            *pending() = std::current_exception();
        return 1;
    }
}

/** The type that the last parameter points to. */
template <class First, class... Rest> struct last : last<Rest...> {
};
template <class Only> struct last<Only> {
    typedef typename std::remove_pointer<Only>::type type;
};

template <class First, class T>
struct takes
    : std::is_same<typename std::remove_const<
                       typename std::remove_pointer<First>::type>::type,
                   T> {
};

} // namespace detail

template <class T> class handle;

#define EBM_HPP_OBJECTS(X) \
    X(ais)                 \
    X(buffer)              \
    X(chains)              \
    X(check)               \
    X(checkpoint)          \
    X(dataset)             \
    X(loss)                \
    X(model)               \
    X(network)             \
    X(optimizer)           \
    X(preset)              \
    X(report)              \
    X(sampler)             \
    X(transition)

namespace detail
{

inline void destroy(ebm_context *)
{
    /* core does it */
}
#define EBM_HPP_DESTROY(name)               \
    inline void destroy(ebm_##name *object) \
    {                                       \
        ebm_##name##_destroy(object);       \
    }
EBM_HPP_OBJECTS(EBM_HPP_DESTROY)
#undef EBM_HPP_DESTROY

/* What C sees of an argument. */
template <class T> T *plain(const handle<T> &h)
{
    return h.get();
}
template <class T> T *plain(std::vector<T> &v)
{
    return v.data();
}
template <class T> const T *plain(const std::vector<T> &v)
{
    return v.data();
}
inline const char *plain(const std::string &s)
{
    return s.c_str();
}
template <class T>
typename std::enable_if<!std::is_class<T>::value, T>::type plain(T value)
{
    return value;
}

template <class T> void keep(kept &all, const handle<T> &h)
{
    all.push_back(h.roots());
}
template <class T> void keep(kept &, const T &)
{
}

} // namespace detail

/** A handle of the library: moved, never copied. */
template <class T> class handle
{
  public:
    handle() = default;
    handle(T *raw, std::shared_ptr<detail::core> core,
           std::shared_ptr<detail::roots> roots)
        : raw_(raw), core_(std::move(core)), roots_(std::move(roots))
    {
    }
    handle(handle &&other) noexcept
        : raw_(other.raw_), core_(std::move(other.core_)),
          roots_(std::move(other.roots_))
    {
        other.raw_ = nullptr;
    }
    handle &operator=(handle &&other) noexcept
    {
        std::swap(raw_, other.raw_);
        core_.swap(other.core_);
        roots_.swap(other.roots_);
        return *this;
    }
    handle(const handle &) = delete;
    handle &operator=(const handle &) = delete;
    ~handle()
    {
        close();
    }

    /** Destroys the object; calls with it are EBM_ERROR_HANDLE from then. */
    void close() noexcept
    {
        if (raw_ != nullptr)
            detail::destroy(raw_);
        raw_ = nullptr;
    }
    T *get() const noexcept
    {
        return raw_;
    }
    const std::shared_ptr<detail::core> &core() const noexcept
    {
        return core_;
    }
    const std::shared_ptr<detail::roots> &roots() const noexcept
    {
        return roots_;
    }

    /** Calls a function that returns a status. */
    template <class First, class... P, class... A>
    void call(ebm_status (*f)(First, P...), A &&...a) const
    {
        {
            detail::frame frame;
            frame.check(core_.get(), invoke(f, a...));
        }
        detail::give(roots_, f, 0, roots_of(a...));
    }

    /** Calls a function that returns something else, and returns that. */
    template <class R, class First, class... P, class... A>
    R call(R (*f)(First, P...), A &&...a) const
    {
        return invoke(f, a...);
    }

    /** Calls a function that reads a number through its last parameter. */
    template <class First, class... P, class... A>
    typename detail::last<P...>::type read(ebm_status (*f)(First, P...),
                                           A &&...a) const
    {
        typename detail::last<P...>::type value{};
        detail::frame frame;
        frame.check(core_.get(), invoke(f, a..., &value));
        return value;
    }

    /** Calls a function that makes a handle, and returns it. */
    template <class First, class... P, class... A>
    handle<
        typename std::remove_pointer<typename detail::last<P...>::type>::type>
    create(ebm_status (*f)(First, P...), A &&...a) const
    {
        typedef typename detail::last<P...>::type raw_type;
        std::shared_ptr<detail::roots> roots =
            std::make_shared<detail::roots>();
        roots->made_of = roots_of(a...);
        roots->made_of.push_back(roots_);
        raw_type raw = nullptr;
        detail::frame frame;
        ebm_status status = invoke(f, a..., &raw);
        handle<typename std::remove_pointer<raw_type>::type> made(raw, core_,
                                                                  roots);
        frame.check(core_.get(), status);
        return made;
    }

  private:
    /* The handle itself goes first where the function takes its type. */
    template <class R, class First, class... P, class... A>
    R invoke(R (*f)(First, P...), A &&...a) const
    {
        return pass(detail::takes<First, T>(), f, a...);
    }
    template <class F, class... A>
    auto pass(std::true_type, F f, A &&...a) const
        -> decltype(f(std::declval<T *>(), detail::plain(a)...))
    {
        return f(raw_, detail::plain(a)...);
    }
    template <class F, class... A>
    auto pass(std::false_type, F f, A &&...a) const
        -> decltype(f(detail::plain(a)...))
    {
        return f(detail::plain(a)...);
    }
    template <class... A> static detail::kept roots_of(const A &...a)
    {
        detail::kept all;
        int each[] = {0, (detail::keep(all, a), 0)...};
        (void)each;
        return all;
    }

    T *raw_ = nullptr;
    std::shared_ptr<detail::core> core_;
    std::shared_ptr<detail::roots> roots_;
};

#define EBM_HPP_NAME(name) typedef handle<ebm_##name> name;
EBM_HPP_OBJECTS(EBM_HPP_NAME)
#undef EBM_HPP_NAME
#undef EBM_HPP_OBJECTS

/** A context, which all other objects are made from. */
class context : public handle<ebm_context>
{
  public:
    context() : handle<ebm_context>(begin())
    {
    }

  private:
    static handle<ebm_context> begin()
    {
        std::shared_ptr<detail::core> core = std::make_shared<detail::core>();
        detail::frame frame;
        frame.check(nullptr, ebm_context_create(&core->raw));
        return handle<ebm_context>(core->raw, core,
                                   std::make_shared<detail::roots>());
    }
};

/* ---- Callbacks ---------------------------------------------------------- */

/** A custom energy, see ebm_model_create_custom(). Empty functions are
    derivatives that it does not have. They report failure by throwing. */
struct energy {
    std::size_t parameter_count = 0;
    std::function<void(const float *params, const float *x,
                       const std::int32_t *labels, std::size_t n,
                       float *energy, float *grad)>
        energy_grad;
    std::function<void(const float *params, const float *x,
                       const std::int32_t *labels, std::size_t n,
                       const float *scale, float *param_grad)>
        param_grad;
    std::function<void(const float *params, const float *x,
                       const std::int32_t *labels, std::size_t n,
                       const float *v, const float *scale, float *hv,
                       float *param_grad)>
        tangent;
};
typedef std::function<void(std::size_t step, const ebm_chains *chains)>
    observer;
typedef std::function<double(std::size_t step, std::size_t steps)> schedule;
typedef std::function<void(float *x, const std::int32_t *labels, std::size_t n,
                           std::size_t height, std::size_t width,
                           std::size_t channels, const std::uint64_t *keys)>
    jump;
typedef std::function<void(ebm_log_level level, const char *text)> logger;

namespace detail
{

template <class F> const F &function(void *user)
{
    return *static_cast<const F *>(user);
}
inline int on_energy_grad(const float *params, const float *x,
                          const std::int32_t *labels, std::size_t n, float *e,
                          float *grad, void *user)
{
    return guard([&] {
        function<energy>(user).energy_grad(params, x, labels, n, e, grad);
    });
}
inline int on_param_grad(const float *params, const float *x,
                         const std::int32_t *labels, std::size_t n,
                         const float *scale, float *gradient, void *user)
{
    return guard([&] {
        function<energy>(user).param_grad(params, x, labels, n, scale,
                                          gradient);
    });
}
inline int on_tangent(const float *params, const float *x,
                      const std::int32_t *labels, std::size_t n,
                      const float *v, const float *scale, float *hv,
                      float *gradient, void *user)
{
    return guard([&] {
        function<energy>(user).tangent(params, x, labels, n, v, scale, hv,
                                       gradient);
    });
}
inline int on_observer(std::size_t step, const ebm_chains *chains, void *user)
{
    return guard([&] { function<observer>(user)(step, chains); });
}
inline int on_schedule(std::size_t step, std::size_t steps, double *value,
                       void *user)
{
    return guard([&] { *value = function<schedule>(user)(step, steps); });
}
inline int on_jump(float *x, const std::int32_t *labels, std::size_t n,
                   std::size_t height, std::size_t width, std::size_t channels,
                   const std::uint64_t *keys, void *user)
{
    return guard([&] {
        function<jump>(user)(x, labels, n, height, width, channels, keys);
    });
}
inline void on_log(ebm_log_level level, const char *text, void *user)
{
    guard([&] { function<logger>(user)(level, text); });
}

} // namespace detail

/** A model of the caller's functions, which it keeps. */
inline model custom_model(const context &c, std::size_t height,
                          std::size_t width, std::size_t channels, energy e)
{
    std::shared_ptr<energy> held = std::make_shared<energy>(std::move(e));
    ebm_energy_ops ops = ebm_energy_ops();
    ops.struct_size = sizeof ops;
    ops.parameter_count = held->parameter_count;
    ops.energy_grad = held->energy_grad ? detail::on_energy_grad : nullptr;
    ops.param_grad = held->param_grad ? detail::on_param_grad : nullptr;
    ops.tangent = held->tangent ? detail::on_tangent : nullptr;
    model made = c.create(ebm_model_create_custom, height, width, channels,
                          &ops, static_cast<void *>(held.get()));
    made.roots()->made_of.push_back(held);
    return made;
}

/** A transition of the caller's function, which it keeps. */
inline transition custom_transition(const context &c, jump function)
{
    std::shared_ptr<jump> held = std::make_shared<jump>(std::move(function));
    transition made = c.create(ebm_transition_create_callback, detail::on_jump,
                               static_cast<void *>(held.get()));
    made.roots()->made_of.push_back(held);
    return made;
}

/** Calls the function every so many steps of the sampler's runs. */
inline void observe(const sampler &s, std::size_t every, observer function)
{
    std::shared_ptr<observer> held =
        std::make_shared<observer>(std::move(function));
    s.call(ebm_sampler_set_observer, every, detail::on_observer,
           static_cast<void *>(held.get()));
    detail::give(s.roots(), ebm_sampler_set_observer, 0, {held});
}

/** Lets a setting follow the function. */
inline void follow(const sampler &s, ebm_sampler_key key, schedule function)
{
    std::shared_ptr<schedule> held =
        std::make_shared<schedule>(std::move(function));
    s.call(ebm_sampler_set_schedule_callback, key, detail::on_schedule,
           static_cast<void *>(held.get()));
    detail::give(s.roots(), ebm_sampler_set_schedule_callback, key, {held});
}

/** Sends the context's log lines to the function. */
inline void log_to(const context &c, logger function)
{
    std::shared_ptr<logger> held =
        std::make_shared<logger>(std::move(function));
    c.call(ebm_context_set_log, detail::on_log,
           static_cast<void *>(held.get()));
    detail::give(c.roots(), ebm_context_set_log, 0, {held});
}

} // namespace ebm

#endif
